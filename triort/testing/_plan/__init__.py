"""Plans: what happens in a simulated run, as a value that is kept, replayed and shrunk."""
