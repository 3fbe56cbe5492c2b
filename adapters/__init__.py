"""All input and output: settings, inbox, store, database, Prefect's API, downstream HTTP. Imports models only."""
