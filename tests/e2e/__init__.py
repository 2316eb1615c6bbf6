"""The real Snakemake on real images of the stand-in, from an empty folder to the report."""
