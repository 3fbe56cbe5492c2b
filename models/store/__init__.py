"""The content of the store: OCFL inventories and the findings of a check. Nothing that reads a file comes in."""
