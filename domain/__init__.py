"""Pure functions over the models. Input, output and the clock stay out."""
