"""What users do with a database that has mmdb, one module a topic, for every door alike: the command line is one.

An operation takes a psycopg connection and plain values, and returns dataclasses. It prints nothing; where it takes
long it tells a callback. The caller owns the connection: a transaction of the caller's own, or autocommit where an
operation says that it needs it.
"""
