"""Pure verbs over nouns: no input, no output, no clock. Only models come in."""
