"""Models compared on the nine abilities, with numbers that can be defended."""
