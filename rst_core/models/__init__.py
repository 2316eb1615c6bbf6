"""Networks, masks over them, and the files that hold both."""
