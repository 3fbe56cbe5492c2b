"""Tries the files of `deploy/`. What cellar does by itself stays out."""
