"""What lies beside the archives: endpoints, sources, session events and settlement reports."""
