"""Reads metrics as Prometheus does."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import LONGEST_S


class Scrape:
    """The samples of a scrape."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        samples = [sample for family in families for sample in family.samples]
        self._samples = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
        self.names = {each.name for each in samples}
        self.labels = {name for each in samples for name in each.labels}

    def value(self, name: str, labels: Mapping[str, str] | None = None) -> float | None:
        """Return the value of a series, None if the scrape lacks it."""
        return self._samples.get((name, frozenset((labels or {}).items())))


def scraped(url: str, token: str) -> Scrape:
    answer = httpx.get(
        f"{url}/metrics", headers={"authorization": f"Bearer {token}"}, timeout=LONGEST_S, trust_env=False
    ).raise_for_status()
    return Scrape(answer.text)
