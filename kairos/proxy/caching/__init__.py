"""The response cache at work: what an exchange gets of it, and what it brings back."""
