"""From config.yaml to tables: what the Snakefile asks."""
