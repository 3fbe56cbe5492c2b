"""Pure verbs: no input or output, no clock. Imports models only."""
