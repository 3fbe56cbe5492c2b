"""Each code that a person meets has advice, which names pages that exist; `test_named.py` checks its commands."""

import re
from collections.abc import Mapping
from typing import get_args

import pytest

from cli.custody.verify import _advice
from cli.operation.status import prefect_yaml
from domain.words.causes import ANSWERS, CAUSES
from domain.words.parts import PARTS, advice
from models.archive.archive import WarningCode
from models.discrepancies import DiscrepancyCode
from models.errors import CauseCode, System, Transient
from models.store.condition import ConditionCode, DerivedCode
from models.store.fixity import Fault
from models.views.health import Grade
from services.health.agreement import agreement_probes
from services.health.installation import installation_probes
from services.health.systems import system_probes
from tests.advice.named import ROOT

_FINDINGS = (ConditionCode, DerivedCode, DiscrepancyCode, WarningCode)
ASK_FOR_NOTHING = {"CANCELLED", "INTERNAL", "UNKNOWN_PATH", "WRONG_METHOD"} | {
    f"encryption of {place}" for place in ("store", "inbox", "spool", "database", "Prefect's database")
}
"""What a person did, pages to load again, and places whose encryption is never wrong."""


def advice_of_parts() -> Mapping[str, str]:
    probes = [*installation_probes(), *system_probes(), *agreement_probes(prefect_yaml())]
    return {each.name: advice(each.name, "", Grade.WRONG) for each in probes}


@pytest.mark.usefixtures("sqlite_installation")
def test_every_code_has_advice_and_the_pages_that_it_names_are_there() -> None:
    advised = {
        **{each: each.meaning.to_do for codes in _FINDINGS for each in codes},
        **{code: meaning.to_do for code, meaning in {**ANSWERS, **PARTS}.items()},
        **{code: CAUSES[code].to_do for code in get_args(CauseCode)},
        **{f"fault {each}": " ".join(_advice([each])) for each in Fault},
        **advice_of_parts(),
    }

    assert {code for code, to_do in advised.items() if not to_do} == ASK_FOR_NOTHING
    pages = {page for to_do in advised.values() for page in re.findall(r"docs/[\w-]+\.md", to_do)}
    assert pages
    assert [page for page in pages if not (ROOT / page).exists()] == []


def test_every_system_that_is_away_has_its_cause() -> None:
    assert {Transient("", system=each).code for each in System} <= set(get_args(CauseCode))
