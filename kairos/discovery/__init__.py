"""Which addresses the host names of backends have now."""
