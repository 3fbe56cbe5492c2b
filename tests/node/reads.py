"""Reads a receiver by the client that openapi-python-client made, and prints what it found as JSON."""
# mypy: ignore-errors

import json
import sys

from cellar_client import AuthenticatedClient
from cellar_client.api.archives import list_archives, read_archive, read_archive_list, read_file
from cellar_client.api.changes import list_changes
from cellar_client.models import ErrorAnswer, ReadArchiveListName, State

url, token = sys.argv[1:]
client = AuthenticatedClient(url, token)

pages, cursor = [], None
while not pages or cursor:
    page = list_archives.sync(client=client, cursor=cursor, limit=2, state=State.COMPLETED)
    pages.append([each.reference for each in page.items])
    cursor = page.next_

[reference, *_] = pages[0]
archive = read_archive.sync(reference, client=client)
warnings = read_archive_list.sync(reference, ReadArchiveListName.WARNINGS, client=client)
[file, *_] = archive.files

changes, after = [], None
while (page := list_changes.sync(client=client, after=after)).items:
    changes += [f"{each.kind} {each.reference}" for each in page.items]
    after = page.next_

failures = [
    read_archive.sync_detailed("unknown", client=client),
    list_changes.sync_detailed(client=client, after="wrong"),
    list_archives.sync_detailed(client=AuthenticatedClient(url, "wrong")),
]
assert all(isinstance(each.parsed, ErrorAnswer) for each in failures)
its = {
    "pages": pages,
    "received_at": round(archive.received_at.timestamp() * 1000),
    "paid": [[each.amount_minor, each.standing, each.currency] for each in archive.payments],
    "verdict": archive.signed_document_verdict and archive.signed_document_verdict.outcome,
    "warnings": [each["code"] for each in warnings.items],
    "file": len(read_file.sync(reference, file.sha256, client=client).payload.read()) - file.size_bytes,
    "changes": changes,
    "failures": [[each.status_code, each.parsed.error.code] for each in failures],
}
sys.stdout.write(json.dumps(its))
