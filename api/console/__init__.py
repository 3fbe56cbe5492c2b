"""The console: pages for people under `/console`, over the same services as the JSON API. It decides nothing itself."""
