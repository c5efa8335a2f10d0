"""Policies that keep requests alive when backends are not."""
