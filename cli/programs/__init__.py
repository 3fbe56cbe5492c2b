"""Commands that run until they are stopped, and their supervisor. Views of archives stay out."""
