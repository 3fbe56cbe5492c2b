"""Commands that verify the store, rotate its keys and rebuild the database. Long-running commands stay out."""
