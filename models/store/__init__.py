"""The content of the store: OCFL inventories and the findings of a check. The reading of files stays out."""
