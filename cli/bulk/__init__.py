"""Re-runs archives, singly and in bulk, and shows, pauses, resumes and aborts bulk re-runs."""
