"""The life of a receipt: deliveries, runs, notifications, workers. The content of an archive stays out."""
