"""Says on what terms a source sends. Receiving stays out."""
