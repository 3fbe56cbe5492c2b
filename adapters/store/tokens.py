"""The tokens of machines in the store, `tokens/NAME.json` each. Only their digests are kept."""

from adapters.store.records import Records
from models.access import Token

RECORDS = Records("tokens", Token, "token", lambda each: each.name)
