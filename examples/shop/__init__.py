"""A print shop that sells posters, and the searches of the demo over it.

`data` makes and loads the shop, `demo` declares its embeddings, runs the searches and prints them, `page` writes
them as one HTML page. The shop's tables are ordinary: schema.sql knows nothing of mmdb.
"""
