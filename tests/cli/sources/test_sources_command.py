"""`cellar sources`: what each subcommand changes in the store, and what it prints."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.database.transactions import writing
from adapters.settings.digests import digest_of
from adapters.settings.settings import settings
from adapters.store import sources
from adapters.tables.runs import receipts
from cli.options import person
from models.completeness.processes import SessionEventRow
from tests.cli.conftest import Cellar
from tests.records import NOON, delivery, digest

pytestmark = pytest.mark.usefixtures("sqlite_installation")


def added(cellar: Cellar, name: str = "retail-il", *options: str) -> dict[str, str]:
    ended = cellar("sources", "add", name, *options, "--json")
    assert ended.status == 0, ended.errors
    made: dict[str, str] = json.loads(ended.output)
    return made


def test_added_source_is_in_the_store_with_the_digest_of_its_secret_and_who_added_it(cellar: Cellar) -> None:
    made = added(cellar, "retail-il", "--timezone", "Asia/Jerusalem", "--amount-unit", "major")

    kept = sources.RECORDS.all()["retail-il"]
    assert [each.sha256 for each in kept.secrets] == [digest_of(made["secret"])]
    assert (kept.created_by, kept.terms.timezone, kept.terms.amount_unit) == (person(), "Asia/Jerusalem", "major")
    assert kept.created_at <= datetime.now(UTC)


def test_secret_and_url_are_printed_once(cellar: Cellar) -> None:
    shown = cellar("sources", "add", "retail-il").output
    *_, url, secret = shown.split()

    assert url == "http://127.0.0.1:8000/webhooks/cellosign/retail-il"
    assert sources.RECORDS.all()["retail-il"].secrets[0].sha256 == digest_of(secret)
    assert secret not in cellar("sources", "list").output + cellar("sources", "list", "--json").output


def test_list_has_the_default_first_and_counts_what_came(cellar: Cellar) -> None:
    added(cellar)
    receipts.register_all([replace(delivery("r"), source="retail-il")])

    listed = json.loads(cellar("sources", "list", "--json").output)["items"]

    assert [(each["name"], each["archives"]) for each in listed] == [("default", 0), ("retail-il", 1)]
    assert datetime.fromisoformat(listed[1]["last_delivery_at"]) == NOON
    assert listed[0]["url"] == "http://127.0.0.1:8000/webhooks/cellosign"


def test_list_warns_of_a_source_whose_clock_is_wrong_by_a_zone(cellar: Cellar) -> None:
    now = datetime.now(UTC)
    with writing() as session:
        for number in range(10):
            received_at = now - timedelta(hours=number)
            session.add(
                SessionEventRow(
                    event_id=digest(str(number)),
                    source="default",
                    type="WHEF_SESSION_CREATED",
                    is_known=True,
                    event_at=received_at + timedelta(hours=2),
                    received_at=received_at,
                )
            )

    (listed,) = json.loads(cellar("sources", "list", "--json").output)["items"]

    assert "10 of 10 recent arrivals came about 2 h before the time that they state" in listed["clock_warning"]
    assert f"warning: {listed['clock_warning']}" in cellar("sources", "list").output


def test_stated_terms_apply_and_the_others_are_those_of_the_settings(cellar: Cellar) -> None:
    added(cellar, "retail-il", "--success-purge-h", "24", "--archived-within-s", "60")

    cellar("sources", "set", "retail-il", "--timezone", "Asia/Jerusalem", "--success-purge-h", "settings")

    terms = sources.terms_of("retail-il")
    assert (terms.timezone, terms.archived_within) == ("Asia/Jerusalem", timedelta(minutes=1))
    assert terms.purged_after_success == settings().source_terms.purged_after_success
    assert sources.terms_of("never-added") == sources.terms_of("default") == settings().source_terms


def test_source_shows_from_where_and_how_signed_it_sends_and_prints_its_signing_keys(cellar: Cellar) -> None:
    made = added(cellar, "retail-il", "--addresses", "192.0.2.7, 2001:db8::/32", "--signature", "X-Signature")
    cellar("sources", "rotate", "retail-il")

    shown = cellar("sources", "show", "retail-il").output
    keys = cellar("sources", "show", "retail-il", "--signing-keys").output.split()

    assert "192.0.2.7/32, 2001:db8::/32\n" in shown
    assert "signature          X-Signature\n" in shown
    assert "unused; unused, until " in shown
    assert (len(keys), keys[1]) == (2, made["signing_key"])
    cellar("sources", "set", "retail-il", "--signature", "settings", "--addresses", "settings")
    assert (sources.terms_of("retail-il").signature, sources.terms_of("retail-il").addresses) == ("", ())


def test_change_of_the_time_zone_says_how_archives_follow(cellar: Cellar) -> None:
    added(cellar)

    assert "run again" in cellar("sources", "set", "retail-il", "--timezone", "Asia/Jerusalem").output
    assert "run again" not in cellar("sources", "set", "retail-il", "--archived-within-s", "60").output


def test_rotation_keeps_the_secrets_before_it_until_the_overlap_ends(cellar: Cellar) -> None:
    first = added(cellar)["secret"]
    second = json.loads(cellar("sources", "rotate", "retail-il", "--overlap-h", "1", "--json").output)["secret"]

    kept = sources.RECORDS.all()["retail-il"]
    assert [each.sha256 for each in kept.secrets] == [digest_of(second), digest_of(first)]
    assert kept.secrets[0].until is None
    assert kept.secrets[1].until
    assert kept.digests_at(kept.secrets[1].until) == [digest_of(second)]


def test_disabled_source_has_no_secret_that_opens_and_names_who_disabled_it(cellar: Cellar) -> None:
    added(cellar)
    cellar("sources", "disable", "retail-il")

    disabled = sources.RECORDS.all()["retail-il"]
    assert (disabled.disabled_by, disabled.digests_at(datetime.now(UTC))) == (person(), [])
    cellar("sources", "enable", "retail-il")
    assert len(sources.RECORDS.all()["retail-il"].digests_at(datetime.now(UTC))) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "Retail"), "small letters"),
        (("add", "a/b"), "small letters"),
        (("add", "x" * 41), "at most 40"),
        (("add", "default"), "the URL without a name"),
        (("add", "known"), "exists"),
        (("add", "new", "--timezone", "Mars/Olympus"), "--timezone"),
        (("add", "new", "--amount-unit", "cents"), "--amount-unit"),
        (("add", "new", "--success-purge-h", "0"), "--success-purge-h"),
        (("add", "new", "--archived-within-s", "1e12"), "--archived-within-s"),
        (("set", "known", "--archived-within-s", "inf"), "--archived-within-s"),
        (("set", "known", "--addresses", "192.0.2.1/24"), "--addresses: expected addresses or networks"),
        (("set", "known", "--signature", "X Signature"), "--signature"),
        (("show", "unknown"), "no source has the name"),
        (("show", "unknown", "--signing-keys"), "no source has the name"),
        (("set", "known"), "at least one term"),
        (("set", "unknown", "--timezone", "UTC"), "no source has the name"),
        (("rotate", "default"), "CELLAR_WEBHOOK_SECRETS"),
        (("disable", "unknown"), "no source has the name"),
    ],
)
def test_wrong_use_exits_with_2_says_what_is_expected_and_changes_nothing(
    cellar: Cellar, arguments: tuple[str, ...], words: str
) -> None:
    added(cellar, "known")
    before = sources.RECORDS.all()

    ended = cellar("sources", *arguments)

    assert (ended.status, sources.RECORDS.all()) == (2, before)
    assert words in " ".join(ended.errors.replace("│", " ").split())
