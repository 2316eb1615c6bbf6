"""The transcription of the paper's numbers, against its text and against itself."""
