"""The webhook: from the connection to the answer, and the pages around it. No view of archives comes in."""
