"""Changes between two versions: each appears once, and none shows what the API hides."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.archive.difference import differences
from models.archive.archive import Archive, Change, Difference, DifferenceKind, FormField, Values
from models.archive.content import Content, Role, StoredContent
from models.payments import Attempt, Payment
from tests.domain.payloads import IN_MAJOR_UNITS, TERMS, changed, read
from tests.samples import sample_document

SAMPLE = read(sample_document())
EMPTY = replace(SAMPLE, sessions=(), signatures=(), fields=(), contents=(), payments=())


def field(field_id: str | None, value: Any = None) -> FormField:
    return FormField(field_id, "text", value, None, None, None, None, None, None, {}, None, None)


def attachment(element_id: str | None, sha256: str, filename: str | None = None) -> Content:
    return Content("attachments[0]", Role.ATTACHMENT, element_id, filename, None, StoredContent(0, sha256, 1))


def payment(transaction_id: str | None, amount: Decimal | None) -> Payment:
    return Payment((Attempt(transaction_id, None, "charge", "success", amount, "ILS", None, None, None, None),))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.floats(allow_nan=False, allow_infinity=False) | st.text("aא"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
    max_leaves=3,
)
ids = st.none() | st.sampled_from(["a", "b", "field[0]"])
fields = st.lists(st.builds(field, ids, json_values), max_size=6)
contents = st.lists(st.builds(attachment, ids, st.sampled_from(["1", "2"]), st.sampled_from([None, "x"])), max_size=6)
payments = st.lists(st.builds(payment, ids, st.none() | st.decimals("-10", "10", places=1)), max_size=4)


@st.composite
def archives(draw: st.DrawFn) -> Archive:
    return replace(
        EMPTY,
        fields=tuple(draw(fields)),
        contents=tuple(draw(contents)),
        payments=tuple(draw(payments)),
        sessions=tuple(draw(st.lists(st.sampled_from(SAMPLE.sessions), max_size=2))),
        signatures=tuple(draw(st.lists(st.sampled_from(SAMPLE.signatures), max_size=2))),
    )


def changes(before: Archive, after: Archive) -> list[tuple[str, str, str]]:
    return [(each.kind, each.key, each.change) for each in differences(before, after, TERMS)]


@given(archives())
def test_archive_has_no_differences_from_itself(archive: Archive) -> None:
    assert differences(archive, archive, TERMS) == []


@given(archives(), archives())
def test_additions_become_removals_when_versions_are_swapped(one: Archive, other: Archive) -> None:
    there, back = differences(one, other, TERMS), differences(other, one, TERMS)

    added = [each for each in there if each.change is Change.ADDED]
    removed = [each for each in back if each.change is Change.REMOVED]
    assert [(each.kind, each.key) for each in added] == [(each.kind, each.key) for each in removed]
    for new, old in zip(added, removed, strict=True):
        assert new.members == {name: Values(value.after, value.before) for name, value in old.members.items()}
    assert len(there) == len(back)


@given(st.dictionaries(st.text("abcde", max_size=2), json_values), st.dictionaries(st.text("abcde"), json_values))
def test_differences_turn_the_old_version_into_the_new_version(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = replace(EMPTY, fields=tuple(field(key, value) for key, value in old.items()))
    after = replace(EMPTY, fields=tuple(field(key, value) for key, value in new.items()))

    applied = dict(old)
    for each in differences(before, after, TERMS):
        if each.change is Change.REMOVED:
            del applied[each.key]
        else:
            assert (each.key in applied) is (each.change is Change.CHANGED)
            applied[each.key] = each.members["value"].after if "value" in each.members else None

    assert repr(sorted(applied.items())) == repr(sorted(new.items()))  # repr distinguishes True from 1


@given(archives(), st.randoms())
def test_order_within_a_payload_does_not_matter(archive: Archive, random: Any) -> None:
    def shuffled(things: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(things, len(things)))

    other = replace(archive, fields=shuffled(archive.fields), contents=shuffled(archive.contents))

    assert differences(archive, other, TERMS) == []


def test_changed_members_of_objects_are_listed_separately() -> None:
    document = changed("sessions.0.recipient.name", "דנה")
    document["sessions"][0]["labels"] = {"OTHER_TAG": 7}
    document["signatures"][0]["signed_by"]["name"] = "דנה"

    signature, session = differences(SAMPLE, read(document), TERMS)

    assert signature.members == {"signed_by.name": Values("client", "דנה")}
    assert session.members == {
        "recipient.name": Values("client", "דנה"),
        "labels.OTHER_TAG": Values(None, "7"),
        "labels.CUSTOMER_TAG": Values("CUSTOMER_VALUE", None),
    }


def test_signed_document_with_new_content_is_a_changed_file() -> None:
    document = changed("signed_document.content", "aGVsbG8=")

    [found] = differences(SAMPLE, read(document), TERMS)

    assert (found.kind, found.key, found.change) == ("file", "signed_document", "changed")
    assert found.members.keys() == {"sha256", "size_bytes"}


def test_new_scan_result_for_the_same_file_and_a_new_event_time_are_no_difference() -> None:
    later = replace(attachment("a", "1"), stored=StoredContent(0, "1", 1, looks_like="text/html", infection="Bad"))

    assert changes(replace(EMPTY, contents=(attachment("a", "1"),)), replace(EMPTY, contents=(later,))) == []
    assert changes(SAMPLE, read(changed("event.timestamp", "2023-01-01T00:00:00"))) == []


def test_removing_a_file_of_an_element_leaves_its_other_files_unchanged() -> None:
    files = tuple(attachment("upload", digest) for digest in ("1", "2", "3"))

    found = differences(replace(EMPTY, contents=files), replace(EMPTY, contents=files[1:]), TERMS)

    assert [(each.change, each.members["sha256"]) for each in found] == [("removed", Values("1", None))]


def test_items_with_the_same_id_are_matched_in_order() -> None:
    before = replace(EMPTY, fields=(field("a", 1), field("a", 2)))
    after = replace(EMPTY, fields=(field("a", 3), field("a", 4), field("a", 5)))

    found = differences(before, after, TERMS)

    assert [each.members["value"] for each in found] == [Values(1, 3), Values(2, 4), Values(None, 5)]


def test_items_without_an_id_are_numbered_among_themselves() -> None:
    before = replace(EMPTY, contents=(attachment(None, "1"), attachment("a", "2"), attachment(None, "3")))
    after = replace(EMPTY, contents=(attachment(None, "1"), attachment("a", "2"), attachment(None, "4")))

    assert changes(before, after) == [("file", "attachment[1]", "changed")]


def test_attachment_never_matches_the_signed_document() -> None:
    signed = Content("signed_document", Role.SIGNED_DOCUMENT, "a", None, None, StoredContent(0, "1", 1))

    found = changes(replace(EMPTY, contents=(signed,)), replace(EMPTY, contents=(attachment("a", "1"),)))

    assert found == [("file", "a", "added"), ("file", "a", "removed")]


def test_differences_are_sorted_by_kind_then_new_order_with_removals_last() -> None:
    before = replace(EMPTY, fields=(field("gone"), field("b", 1), field("a", 1)), payments=(payment("old", None),))
    after = replace(EMPTY, fields=(field("new"), field("a", 2), field("b", 2)), contents=(attachment("file", "1"),))

    assert changes(before, after) == [
        ("field", "new", "added"),
        ("field", "a", "changed"),
        ("field", "b", "changed"),
        ("field", "gone", "removed"),
        ("file", "file", "added"),
        ("payment", "old", "removed"),
    ]


def test_changed_amount_is_in_minor_units() -> None:
    found = differences(SAMPLE, read(changed("payments.0.amount", 25)), IN_MAJOR_UNITS)

    assert [each.members for each in found] == [{"amount_minor": Values(210000, 2500)}]
    assert found[0].withheld == ()


def test_fraction_of_a_minor_unit_differs_without_being_shown() -> None:
    before, after = (replace(EMPTY, payments=(payment("a", Decimal(amount)),)) for amount in ("21.5", "21.7"))

    [found] = differences(before, after, TERMS)

    assert (found.members, found.withheld) == ({}, ("amount",))


@pytest.mark.parametrize(
    ("name", "value", "withheld"),
    [
        ("total", "2500", "provider_total"),
        ("cguid", "1", "cguid"),
        ("auth_number", "", "authorisation"),
        ("card_expiration", "0730", "card_expires"),
    ],
)
def test_total_card_secret_or_expiry_differs_without_being_shown(name: str, value: str, withheld: str) -> None:
    [found] = differences(SAMPLE, read(changed(f"payments.0.provider_transaction_result.{name}", value)), TERMS)

    assert (found.members, found.withheld) == ({}, (withheld,))


def test_attempt_that_does_not_decide_differs_unshown() -> None:
    document = sample_document()
    (sent,) = document["payments"]
    document["payments"] = [sent | {"status": "failure"}, sent]
    other = changed("payments", [sent | {"status": "failure", "amount": 5}, sent])
    spelled = changed("payments", [sent | {"status": "failure", "amount": "2100.0"}, sent])

    [found] = differences(read(document), read(other), TERMS)

    assert (found.members, found.withheld) == ({}, ("other_attempts",))
    assert differences(read(document), read(spelled), TERMS) == []


def test_differences_contain_no_card_secrets() -> None:
    secrets = sample_document()["payments"][0]["provider_transaction_result"]

    found = repr(differences(replace(SAMPLE, payments=()), SAMPLE, TERMS))

    for name in ("card_id", "auth_number", "card_expiration", "session_cd", "cguid"):
        assert secrets[name] not in found
    assert "458045******4580" in found


def test_card_number_is_masked_and_another_with_the_same_last_digits_is_reported_without_being_shown() -> None:
    before, same = (read(changed("data.0.value", value)) for value in ("4580458045804580",) * 2)
    after = read(changed("data.0.value", "4000000000024580"))

    assert differences(before, same, TERMS) == []
    [replaced], [typed] = differences(before, after, TERMS), differences(SAMPLE, after, TERMS)
    assert replaced == Difference(DifferenceKind.FIELD, "SOMEFIELD1", Change.CHANGED, {}, ("value",))
    assert (typed.members, typed.withheld) == ({"value": Values("SOMEVALUE1", "************4580")}, ())
