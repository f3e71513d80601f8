"""Names of the graph found in text, well spelt or not, and what is said of them."""
