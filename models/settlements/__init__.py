"""What the payment provider reports, and what a comparison with it finds. No file format is read here."""
