"""Settlement reports, imported and matched to payments. No file format comes in."""
