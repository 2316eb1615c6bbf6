"""The claims: statistics, verdicts, coverage, and worlds in which the truth is known."""
