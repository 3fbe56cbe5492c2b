"""Lists sources for people: terms, secrets by their age, archives and the last delivery of each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlmodel import col, func, select

from adapters.database.transactions import read_all, reading
from adapters.store import sources
from adapters.tables import by_hour, uses
from adapters.tables.runs import receipts, refused
from domain.overview import WEEK_H, hours_until, since_first
from models.archive.archive import ArchiveRow
from models.people import LastUseRow
from models.runs.receipt import DEFAULT_SOURCE
from models.sources import Source, StatedTerms
from models.views.sources import ListedSource, SecretView, Sources, SourceView, TermsView
from services.sources import check_known, clock_warning, mark_of, secrets_of, url_of

_HOUR_S = 3600


def all_sources() -> Sources:
    """Return the sources, `default` first."""
    known = sources.RECORDS.refresh()
    return Sources(items=_listed([None, *(known[name] for name in sorted(known))]))


def one_source(name: str) -> ListedSource:
    """Return a source. Raises Refused if there is none of this name."""
    check_known(name)
    return _listed([sources.RECORDS.held().get(name)])[0]


def week_of(name: str, now: datetime) -> tuple[list[Any], dict[str, int]]:
    """Return how many deliveries of a source arrived and were refused by the hour, and what is refused now by code."""
    with reading() as session:
        hours = since_first(by_hour.of_source(session, name, hours_until(now, WEEK_H)), by_hour.first_at(session))
        return hours, refused.open_codes(session, name)


def _listed(named: Sequence[Source | None]) -> list[ListedSource]:
    used = uses.of("secret", (mark_of(secret.sha256) for each in named for secret in secrets_of(each)))
    views = [view_of(each, used) for each in named]
    deliveries = receipts.last_deliveries(each.name for each in views)
    archives = _archives([each.name for each in views])
    clocks = {each.name: clock_warning(each.name) for each in views}
    return [
        ListedSource(
            **each.model_dump(),
            archives=archives.get(each.name, 0),
            last_delivery_at=deliveries.get(each.name),
            clock_warning=f"{wrong.found}; {wrong.to_do}" if (wrong := clocks[each.name]) else None,
        )
        for each in views
    ]


def _archives(names: Sequence[str]) -> dict[str, int]:
    grouped = select(ArchiveRow.source, func.count()).where(col(ArchiveRow.source).in_(names))
    return dict(read_all(grouped.group_by(col(ArchiveRow.source))))


def view_of(source: Source | None, used: Mapping[str, LastUseRow] = MappingProxyType({})) -> SourceView:
    """Return a source; for None, the source `default`. `used`: when secrets were used last, by their marks."""
    now = datetime.now(UTC)
    name = source.name if source else DEFAULT_SOURCE
    secrets = [each for each in secrets_of(source) if each.until is None or each.until > now]
    return SourceView(
        name=name,
        url=url_of(name).removesuffix(f"/{DEFAULT_SOURCE}"),
        terms=_terms(name, source.terms if source else StatedTerms()),
        secrets=[
            SecretView(
                made_at=each.made_at if source else None,
                until=each.until,
                last_used_at=row.at if (row := used.get(mark_of(each.sha256))) else None,
            )
            for each in secrets
        ],
        created_at=source and source.created_at,
        created_by=source and source.created_by,
        disabled_at=source and source.disabled_at,
        disabled_by=source and source.disabled_by,
    )


def _terms(name: str, stated: StatedTerms) -> TermsView:
    terms = sources.terms_of(name)
    return TermsView(
        timezone=terms.timezone,
        amount_unit=terms.amount_unit,
        success_purge_h=round(terms.purged_after_success.total_seconds() / _HOUR_S),
        failure_purge_h=round(terms.purged_after_failure.total_seconds() / _HOUR_S),
        archived_within_s=terms.archived_within.total_seconds(),
        addresses=list(terms.addresses),
        signature=terms.signature,
        retention=terms.retention,
        stated=sorted(stated.model_dump(exclude_none=True)),
    )
