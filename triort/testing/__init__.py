"""Simulated clusters: deterministic, replayable, with faults; for the tests of users and for our own."""
