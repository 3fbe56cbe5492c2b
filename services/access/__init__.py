"""Who gets in: callers, their rights, and the record of what they do. HTTP and its headers stay out."""
