"""The names of the files in an archive's object."""

SKELETON = "skeleton.json"
CUTS = "cuts.json"
SCANS = "scans.json"
"""Media type and ClamAV's answer for each file, at its arrival."""
VERDICT = "signatures.json"
"""The verdict on the signed document, at its arrival."""
REQUEST = "request.sealed"
"""The raw body, encrypted; kept only where it cannot be rebuilt."""
KEPT = (SKELETON, CUTS, SCANS, VERDICT, REQUEST)
FILES = "files"
DELIVERIES = "receipts"
"""The folder in an object's logs with the files that rebuild requests that said nothing new."""
