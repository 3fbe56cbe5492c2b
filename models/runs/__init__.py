"""The life of a receipt: deliveries, runs, notifications, workers. Nothing about an archive's content comes in."""
