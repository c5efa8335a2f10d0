"""The response cache's rules (RFC 9111): no clock, no I/O."""
