"""All input and output, a room for each kind of peer. Services, flows and commands stay out."""
