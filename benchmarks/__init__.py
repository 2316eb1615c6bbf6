"""How fast it is, as ratios of what was measured in one run: ``make bench``."""
