"""What archives are found by: their text and facets, the terms of a search, and the order of the list. Pure."""
