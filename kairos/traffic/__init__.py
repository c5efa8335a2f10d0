"""How much, and in which form."""
