"""The archive that Cellosign sends: sessions, fields, files, signatures, warnings. No verdicts on money come in."""
