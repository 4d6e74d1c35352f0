"""The database as Python sees it: its address, connections, the types of pgvector, the statements we send."""
