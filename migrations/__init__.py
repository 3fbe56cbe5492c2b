"""Makes the schema of the metadata database, with Alembic. The domain stays out."""
