"""Media: bytes and URIs to decoded media, within limits (the *load* step of a worker).

`fetch.fetch` turns a URI into bytes, `kinds.item_of` bytes into what a model takes: `sniff` tells their kind, and the
kind's decoder does the rest (`image.decode_image`). Whatever is wrong with an item is a MediaError, which concerns that
item alone.
"""
