"""The paper's tables: what each shows, in which rows and columns, and how it is written."""
