"""A forger who knows the formats of the store, and what verify and export say to each of the forger's rewrites.

The forger can write the store and the database. The key that signs anchors, a noted root and the witness are out of the
forger's reach. Each rewrite is consistent: whatever follows from the changed bytes is made again.
"""
