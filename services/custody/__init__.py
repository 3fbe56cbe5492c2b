"""The store against what it must hold: checked, and the database rebuilt from it. No run comes in."""
