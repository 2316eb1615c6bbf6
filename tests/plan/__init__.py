"""What targets cost, and how far they are."""
