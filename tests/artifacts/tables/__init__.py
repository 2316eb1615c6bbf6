"""Tables: which numbers stand where, and what readers of each format see."""
