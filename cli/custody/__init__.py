"""Commands that check, rebuild and re-key the store. Nothing long-lived comes in."""
