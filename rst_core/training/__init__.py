"""One training loop for mask search, dense training and fine-tuning."""
