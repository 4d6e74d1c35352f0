"""Models of every task: what mmdb.models says of one, how it is found and loaded; one folder a task."""
