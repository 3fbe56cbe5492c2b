"""Takes in session events, and finds processes that should have been archived."""
