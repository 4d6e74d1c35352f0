"""Media: bytes and URIs to decoded media, within limits (the *load* step of the flow, DESIGN section 2).

`uri.fetch` turns a URI into bytes, `image.decode_image` bytes into a picture. Whatever is wrong with an
item is a MediaError, which concerns that item alone.
"""
