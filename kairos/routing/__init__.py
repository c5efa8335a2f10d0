"""Which route a request takes, and what of it is forwarded."""
