"""All input and output, a room for each kind of peer. Domain, models and migrations come in."""
