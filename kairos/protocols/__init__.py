"""Wire formats, sans-I/O."""
