"""Files that may be hostile, examined in processes with limits. Nothing of the store or database comes in."""
