"""What lies beside the archives: endpoints, sources, session events, settlement reports and the last check."""
