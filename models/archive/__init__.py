"""What Cellosign sends of a process: sessions, fields, files, signatures, warnings. No verdicts on money come in."""
