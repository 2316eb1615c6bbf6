"""What is asked of SLURM and made of its answers: pretended commands, no cluster."""
