"""What lies beside the code: documents, examples, measurements, files of every kind, damaged."""
