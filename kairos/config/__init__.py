"""What the operator asked for: read, checked, and turned into one normalised document."""
