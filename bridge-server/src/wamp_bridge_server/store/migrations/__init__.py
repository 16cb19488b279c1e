"""The migrations of the store's schema; Alembic runs them when the store is opened."""
