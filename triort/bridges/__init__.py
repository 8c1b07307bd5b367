"""Ways to triort for programs that were written for something else."""
