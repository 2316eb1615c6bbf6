"""The training loop: steps against formulas, schedules, resuming."""
