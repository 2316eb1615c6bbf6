"""Tables, figures, training curves and the partial report, on made-up cells."""
