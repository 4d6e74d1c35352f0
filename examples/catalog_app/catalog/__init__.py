"""A product catalogue that is searched by meaning."""
