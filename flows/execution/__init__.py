"""What every flow run needs of Prefect: engine, lease, record, results, retries. No flow comes in."""
