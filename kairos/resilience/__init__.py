"""Policies for backends that fail: when to leave them alone, and when to come back."""
