"""Runs the distributed form on loopback and breaks it: each part is a process that dies by name and starts again."""
