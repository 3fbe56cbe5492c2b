"""The metadata database: one file a table or a question. Nothing that reads the store comes in."""
