"""Judges certificates, algorithms and revocation. The reading of PDFs stays out."""
