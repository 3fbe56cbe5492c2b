"""What happens to a receipt: deliveries, runs, notifications, workers. Nothing of an archive's content comes in."""
