"""Copies found, verified and removed: sketches, candidates, exact similarity, and the step `dedup`."""
