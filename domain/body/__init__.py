"""The bytes of a request: scanned, cut and rebuilt. Nothing that knows what an archive means comes in."""
