"""Decides which archives of a bulk re-run start, what became of them, and words its plan. Input and output stay out."""
