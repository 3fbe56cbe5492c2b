"""Reads and writes rows, a module for each noun. Connections and transactions stay out."""
