"""From cell files to the numbers of an artifact."""
