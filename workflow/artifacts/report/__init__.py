"""Pages for people: of artifacts, of the protocol, and of what exists so far."""
