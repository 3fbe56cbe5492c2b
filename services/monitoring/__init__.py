"""Measures what no instrument counts: the state of inbox, database, store and disks. Views stay out."""
