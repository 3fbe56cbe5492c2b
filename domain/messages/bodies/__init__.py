"""Makes the bodies of messages, and puts into them what an endpoint asks for. Headers and signatures stay out."""
