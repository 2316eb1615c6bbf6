"""What must not change: tickets' bits, attacks' outcomes, artifacts' CSV, the paper's decisions."""
