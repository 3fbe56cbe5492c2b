"""Engine, lease, record, results, retries and summaries: used by every flow run. Flows stay out."""
