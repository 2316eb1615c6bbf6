"""Tables and figures: pure functions from tidy results to data frames and pictures."""
