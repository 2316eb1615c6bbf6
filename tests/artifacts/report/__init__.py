"""Pages, the protocol, and what is shown of unfinished results."""
