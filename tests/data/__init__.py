"""Images: sources, splits, augmentation, streaming, manifests."""
