"""How long a page of the list of archives takes, under each filter and each pair of filters."""
