"""A SLURM of its own, and what a cluster does to jobs: make test-slurm."""
