"""Frozen versions: what they hold, what changed between two, where their dialogues come from."""
