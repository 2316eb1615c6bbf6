"""Makes one cell: command line, records, checkpoints, stop, lease; imported by none."""
