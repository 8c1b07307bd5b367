"""Tier 2: the real nodes on the simulated clock; only processes, time and the wire are not what they are elsewhere."""
