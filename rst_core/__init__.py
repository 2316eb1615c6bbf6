"""The science of Robust Scratch Tickets: search masks, attack models, measure.

Knows nothing of Snakemake, tables or SLURM. Importing the package is cheap; torch is
loaded by the modules that compute.
"""

__version__ = "0.1.0"
