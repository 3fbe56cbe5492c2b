"""Reads the rows of lists that people export: workbooks, in a process of limited memory, and CSV. Meaning stays out."""
