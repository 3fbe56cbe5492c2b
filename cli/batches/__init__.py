"""Re-runs archives, singly and in bulk, and plans, shows, pauses, resumes and aborts batches of every kind."""
