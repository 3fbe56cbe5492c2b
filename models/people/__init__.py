"""Notices: what people are told of the installation, and the letters that tell them. Personal data stays out."""
