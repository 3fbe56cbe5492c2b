"""Compares two verdicts on the same document: what is news, and what contradicts an earlier verdict."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from models.archive.judgement import Contradiction
from models.archive.verdict import Coverage, Outcome, SignatureVerdict, Verdict

_RANKS: Mapping[Outcome, int] = {
    Outcome.SOUND: 0,
    Outcome.UNSIGNED: 0,
    Outcome.FIELDS_CHANGED: 1,
    Outcome.CHANGED: 2,
    Outcome.UNREADABLE: 2,
    Outcome.BROKEN: 3,
}
"""The higher, the worse. A missing signature is found by comparing the signatures."""
_COVERAGES = list(Coverage)  # from the best to the worst
_OF_THE_CERTIFICATE = ("signer_name", "signer_organization", "certificate")


def is_worse(before: Verdict, now: Verdict) -> bool:
    """Return whether a person should know about a new judgement. Pure."""
    return _RANKS[before.outcome] < _RANKS[now.outcome] or (now.trusted is False and before.trusted is not False)


def described(verdict: Verdict) -> str:
    """Return a verdict in a few words, without names. Pure."""
    trusted = {True: ", trusted", False: ", not trusted", None: ""}[verdict.trusted]
    return f"{verdict.outcome}{trusted}"


def contradictions(key: str, kept: Verdict, now: Verdict) -> Iterator[Contradiction]:
    """Find where a kept verdict is better than the document deserves today. Pure.

    Only facts are compared that neither time nor trust roots change. A kept verdict that is worse than today's is no
    contradiction: newer judges mend false alarms.

    Args:
        key: the key of the kept verdict in the store.
        kept: the verdict that was made earlier.
        now: the verdict of today on the same bytes.
    """
    if _RANKS[kept.outcome] < _RANKS[now.outcome]:
        yield Contradiction(key, "document", kept.outcome, now.outcome)
    if Outcome.UNREADABLE in (kept.outcome, now.outcome):
        return  # the signatures of one of them are not known
    found = defaultdict(list)
    for each in now.signatures:
        found[each.field].append(each)
    for number, each in enumerate(kept.signatures, 1):
        about, its = f"signature {number}", found[each.field]
        if its:
            yield from _of_signature(key, about, each, its.pop(0))
        else:
            yield Contradiction(key, about, "a signature", "no such signature")


def _of_signature(key: str, about: str, kept: SignatureVerdict, now: SignatureVerdict) -> Iterator[Contradiction]:
    for name in ("intact", "valid"):
        if getattr(kept, name) is True and getattr(now, name) is False:
            yield Contradiction(key, about, name, f"not {name}")
    if kept.coverage and now.coverage and _COVERAGES.index(kept.coverage) < _COVERAGES.index(now.coverage):
        yield Contradiction(key, about, f"covers the {kept.coverage}", f"covers: {now.coverage}")
    for name in _OF_THE_CERTIFICATE:
        if getattr(kept, name) != getattr(now, name) and getattr(kept, name) is not None:
            yield Contradiction(key, about, f"a {name}", f"another {name}")
