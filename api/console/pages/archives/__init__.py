"""The list of archives, its columns and saved views, and all about one archive. Findings across archives stay out."""
