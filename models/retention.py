"""Retention: how long archives are kept, and what is to be done with them then."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

KEEP = "keep"
RULE = re.compile(
    r"keep|(?P<action>review|erase) after (?:(?P<years>[1-9][0-9]{0,2}) years?|(?P<days>[1-9][0-9]{0,4}) days?)"
    r"(?: from (?P<field>[^\x00-\x1f]{1,300}))?"
)


class DueAction(StrEnum):
    """What is to be done with an archive that is due: a person looks whether it is still needed, or it is erased."""

    REVIEW = "review"
    ERASE = "erase"


def _known_rule(text: str) -> str:
    if not RULE.fullmatch(text):
        raise ValueError(
            "expected `keep`, or a rule like `erase after 7 years` or `review after 90 days from END_DATE`"
        )
    return text


RetentionRule = Annotated[
    str,
    AfterValidator(_known_rule),
    WithJsonSchema({"type": "string", "pattern": f"^({re.sub(r'[?]P<[a-z]+>', '', RULE.pattern)})$"}),
]
"""`keep`; or `review` or `erase`, after a number of days or years, from the end of the process or from the date in a
form field: `erase after 7 years from END_DATE`.
"""
