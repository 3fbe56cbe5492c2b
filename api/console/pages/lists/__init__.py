"""A list of any noun: its filters as a form, and its pages. What the rows say stays out."""
