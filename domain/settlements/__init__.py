"""Provider reports: read, matched to payments, counted. Nothing that asks a database comes in."""
