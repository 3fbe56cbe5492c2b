"""The webhook, from the connection to the answer; health and the public link. Views of archives stay out."""
