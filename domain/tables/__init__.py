"""Decides what tables for data teams have: their columns, the names and types of form fields. Rows stay out."""
