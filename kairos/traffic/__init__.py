"""How much, and in which form: what is done to the traffic of a route."""
