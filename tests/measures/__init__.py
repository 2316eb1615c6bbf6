"""Evaluation, feature distance, R2S's expectation, suspicion."""
