"""Dialogues: read, normalise, de-identify, filter, deduplicate, match to the graph, freeze, sample."""
