"""Reads PDFs: fields, updates and what the pages show. Certificates and trust stay out."""
