"""The metadata database: one file per table or question. The store stays out."""
