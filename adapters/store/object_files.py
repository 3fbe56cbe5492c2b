"""The names of the files in an archive's object."""

SKELETON = "skeleton.json"
CUTS = "cuts.json"
SCANS = "scans.json"
"""What each file was seen to be, when it came."""
VERDICT = "signatures.json"
"""The verdict on the signed document, when it came."""
REQUEST = "request.sealed"
"""The raw body, encrypted; kept only where it cannot be rebuilt."""
KEPT = (SKELETON, CUTS, SCANS, VERDICT, REQUEST)
FILES = "files"
DELIVERIES = "receipts"
"""In the logs of an object: what rebuilds the requests that brought nothing new."""
