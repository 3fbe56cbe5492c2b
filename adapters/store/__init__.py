"""Archives, keys and settlement reports as they lie in the store. No decision about an archive comes in."""
