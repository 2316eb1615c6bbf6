"""Making one cell: command line, checkpoints, leases, signals."""
