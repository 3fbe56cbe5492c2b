"""The projects of Cellosign that send archives."""
