"""The database's tables, what must always hold of them, and whether the migrations make the same."""
