"""Whole gateways under load: Kairos beside nginx and HAProxy, its memory, many connections, and long runs."""
