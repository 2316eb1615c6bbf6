"""What a target costs before it is made (``rst plan``), and how far it is (``rst status``)."""
