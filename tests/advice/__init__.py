"""What cellar tells people to do is there, works, and ends the situation in which it is said."""
