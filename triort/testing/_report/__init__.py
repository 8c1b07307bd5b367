"""What a failing run prints and writes: columns, divergence, the plan in words, a Perfetto trace, an HTML page."""
