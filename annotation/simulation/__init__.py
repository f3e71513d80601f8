"""Simulated experts and seniors, to try the road out; they are no clinicians."""
