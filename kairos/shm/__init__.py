"""The zone: memory that the supervisor and all its workers share."""
