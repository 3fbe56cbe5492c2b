"""Makes backups, and brings tombstones to them. What a restore does with them stays out."""
