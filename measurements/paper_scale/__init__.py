"""The paper's scale on one lent GPU: one entry, ``python -m measurements.paper_scale``.

What runs on that machine needs rst_core, benchmarks/steps.py and torch; docs/paper-scale.md
says how to use it.
"""
