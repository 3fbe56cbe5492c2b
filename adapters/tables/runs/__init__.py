"""Rows of receipts and of the runs that process them, from the first delivery to the last retry. Archives stay out."""
