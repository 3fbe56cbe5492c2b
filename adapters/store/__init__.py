"""Archives, keys and settlement reports as they lie in the store. Decisions about an archive stay out."""
