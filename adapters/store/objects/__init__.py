"""What lies in the object of a process: requests, histories, judgements and discrepancies. Other files stay out."""
