"""Card numbers and secrets: found, masked and cut out of a skeleton. No key and no cipher comes in."""
