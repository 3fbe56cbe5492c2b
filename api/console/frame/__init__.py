"""What every page of the console stands in: login, cookies, checked forms, headers, layout. Single pages stay out."""
