"""Tier 1: the pure cores of a whole cluster on one event heap; no trio, no processes, no bytes."""
