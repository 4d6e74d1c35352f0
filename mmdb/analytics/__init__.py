"""Questions about a whole table that need more than SQL."""
