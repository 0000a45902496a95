"""The schema, revision by revision, for Alembic; loaded only when a database is behind."""
