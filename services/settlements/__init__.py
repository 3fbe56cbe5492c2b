"""Imports settlement reports and matches them to payments. File formats stay out."""
