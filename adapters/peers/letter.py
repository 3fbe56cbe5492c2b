"""Sends one letter by apprise: a program of its own, see `people.py`. It imports nothing of cellar, to start fast."""

import json
import logging
import sys

TAKEN, NOT_TAKEN, NOT_UNDERSTOOD = 0, 3, 4


def main() -> None:
    """Send the letter `[URL, TITLE, TEXT]` of the standard input. The status says what became of it."""
    import apprise  # noqa: PLC0415 -- in the process of a letter alone

    logging.basicConfig(level=logging.WARNING)
    url, title, text = json.load(sys.stdin)
    service = apprise.Apprise.instantiate(url, asset=apprise.AppriseAsset(app_id="cellar", app_desc="cellar"))
    if service is None:
        sys.exit(NOT_UNDERSTOOD)
    is_taken = service.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT)
    sys.exit(TAKEN if is_taken else NOT_TAKEN)


if __name__ == "__main__":
    main()
