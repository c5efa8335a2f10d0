"""The processes: a supervisor that keeps workers, and what they say to each other."""
