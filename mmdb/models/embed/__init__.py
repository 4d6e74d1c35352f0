"""Models that embed: one backend a module, of which each has the same shape."""
