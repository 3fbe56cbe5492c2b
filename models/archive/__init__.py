"""The archive that Cellosign sends: sessions, fields, files, signatures, warnings. Verdicts on money stay out."""
