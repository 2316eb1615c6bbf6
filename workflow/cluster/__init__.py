"""The layer between Snakemake's SLURM plugin and the cluster."""
