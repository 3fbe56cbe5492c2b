"""Makes evidence for people outside: bags that prove themselves. The making of anchors stays out."""
