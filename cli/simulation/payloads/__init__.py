"""Makes realistic archives from a seed, some of them faulty. Sending stays out."""
