"""Pure functions over the models: no input, no output, no clock. Only models come in."""
