"""What must not change: tickets' bits, attacks' outcomes, cells, artifacts' CSV, decisions."""
