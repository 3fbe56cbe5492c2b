"""The life of a receipt: deliveries, runs, workers. The content of an archive stays out."""
