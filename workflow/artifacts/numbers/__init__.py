"""From cell files to numbers: one tidy frame, and one query over it."""
