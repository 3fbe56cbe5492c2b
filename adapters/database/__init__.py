"""The metadata database: connections, the schema, and questions across tables. Rows of a single noun stay out."""
