"""What every flow run needs: engine, lease, record, results, retries, summaries. Flows stay out."""
