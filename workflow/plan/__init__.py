"""What a target costs before it is made, and how far it is while it is: ``rst plan``, ``status``."""
