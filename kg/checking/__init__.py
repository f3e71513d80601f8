"""What a doctor's words claim, and whether the graph supports it."""
