"""The embedded PostgreSQL: unpacked from a wheel, started, stopped, its settings fitted to the machine."""
