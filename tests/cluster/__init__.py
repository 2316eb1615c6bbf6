"""Config, matrix, keys, machine, progress, failures, the executor."""
