"""Settlement reports, and the findings of a comparison with payments. No file format is read here."""
