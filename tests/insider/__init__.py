"""A forger who knows the formats of the store, and what verify and export say to each of the forger's rewrites.

The forger can write the store and the database. A noted root and the witness are out of the forger's reach, and
at first so are the key that signs anchors and the note of this machine. Each rewrite is consistent: whatever follows
from the changed bytes is made again.
"""
