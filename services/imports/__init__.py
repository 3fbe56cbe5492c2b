"""Takes in and archives saved payloads, many at once, by the checks of the webhook and the steps of a run."""
