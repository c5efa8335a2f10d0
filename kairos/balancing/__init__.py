"""Which backend a request goes to."""
