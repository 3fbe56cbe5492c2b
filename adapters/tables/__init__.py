"""Reads and writes rows, a room for each noun. Modules beside the rooms read across them. Connections stay out."""
