"""The metadata database: one file per table or question. No code here reads the store."""
