"""Doctors' turns brought to one style, and whether they still say the same: the step `rewrite`."""
