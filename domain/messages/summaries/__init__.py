"""Makes the Markdown summaries that people read in the UI of Prefect. What endpoints receive stays out."""
