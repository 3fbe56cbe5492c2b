"""What is shown of archives and discrepancies. Nothing that changes anything comes in."""
