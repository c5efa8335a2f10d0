"""Active health checks: one worker asks the backends how they are, and all workers know."""
