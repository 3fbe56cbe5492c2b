"""Evidence for people outside: bags that prove themselves, and the program that follows anchors from elsewhere. The
making of anchors stays out.
"""
