"""Settlement reports, and the findings of a comparison with payments. The reading of files stays out."""
