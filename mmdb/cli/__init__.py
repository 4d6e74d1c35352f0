"""The command line. `app` parses and reports errors; every other module here is one command or a few that belong
together, and each only calls what the library offers anyway.
"""

from mmdb.cli.app import app, main

__all__ = ["app", "main"]
