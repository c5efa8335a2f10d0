"""What ends a measurement."""


class LoadError(Exception):
    """The measurement cannot be made, or its figures would mean nothing; the text is for whoever started it."""
