"""Endpoints that people add, change and remove, in a real database and a real store."""

import os
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.files.store import store
from adapters.settings.settings import settings
from adapters.store import kept_endpoints, seals
from adapters.tables.messages import endpoints as rows
from adapters.tables.messages import notifications
from domain.messages.endpoints import message_id_of, name_of
from domain.messages.signatures import SigningKey
from models.errors import Locked, Refused
from models.messages.notification import Event, EventType, Signature
from models.views.messages import NewEndpoint, Rotation
from services.messages import endpoints
from services.messages.attempts import headers_of
from services.messages.events import announce
from tests.conftest import Configure
from tests.messages import SECRET, endpoint_of
from tests.records import attempted

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
URL = "https://erp.example/hook"
ON_SQLITE = pytest.mark.usefixtures("sqlite_installation")


def added(name: str = "erp", **members: Any) -> SigningKey:
    return endpoints.add(NewEndpoint(url=URL, name=name, **members), "dana@desk", NOW)


def signatures(name: str, now: datetime) -> list[str]:
    row = endpoint_of(name)
    return [each.partition(",")[0] for each in headers_of(row, "msg_1", b"{}", now)["webhook-signature"].split(" ")]


def event(subject: str = "receipt-1", **members: Any) -> Event:
    return Event(EventType.ARCHIVE_COMPLETED, subject, NOW, b"{}", "process-1", **members)


def messages(subject: str = "receipt-1") -> dict[str, tuple[str, str | None]]:
    return {each.endpoint_name: (each.state, each.skipped_why) for each in notifications.of_receipt(subject)}


@pytest.mark.usefixtures("installation")
class TestAdd:
    def test_added_endpoint_hears_events_and_signs_with_its_own_secret(self) -> None:
        key = added(secret=SECRET)

        announce(event())

        assert key.text == SECRET
        assert messages() == {"erp": ("pending", None)}
        at = datetime.fromtimestamp(1614265330, UTC)
        made = headers_of(endpoint_of("erp"), "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', at)
        assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    def test_no_secret_is_in_clear_in_the_database_or_the_store(self) -> None:
        key, other = added(headers={"Authorization": "Bearer hidden-token"}), added("crm")

        assert key.secret != other.secret
        held = [endpoint_of("erp").model_dump_json(exclude={"url"}).encode()]
        held += [store().read_bytes(each) for each, _ in store().listed("")]
        for secret in (key.text.removeprefix("whsec_").encode(), key.secret, b"hidden-token", b"erp.example"):
            assert all(secret not in each for each in held)
        assert headers_of(endpoint_of("erp"), "msg_1", b"{}", NOW)["Authorization"] == "Bearer hidden-token"

    def test_name_that_was_used_is_refused_also_after_the_removal(self) -> None:
        added()
        with pytest.raises(Refused, match="NAME_TAKEN"):
            added()
        endpoints.remove("erp", "dana@desk", NOW)
        with pytest.raises(Refused, match="NAME_TAKEN"):
            added()

    def test_secret_of_the_other_scheme_is_refused(self) -> None:
        with pytest.raises(Refused, match="BAD_SECRET") as refused:
            added(secret=SECRET, signature=Signature.ED25519)
        assert SECRET not in str(refused.value)
        assert rows.find("erp") is None


@ON_SQLITE
class TestFilter:
    def test_message_that_a_filter_leaves_out_is_on_record_with_the_filter(self) -> None:
        added("north", sources=["north"])
        added("all")

        announce(event(source="south"))

        assert messages() == {"all": ("pending", None), "north": ("skipped", "the endpoint's filter by source")}


@ON_SQLITE
class TestDisable:
    def test_disabling_skips_the_messages_that_wait_and_enabling_starts_with_new_ones(self) -> None:
        added()
        announce(event("before"))

        endpoints.disable("erp", "dana@desk", NOW)
        before = endpoint_of("erp").model_dump()
        endpoints.disable("erp", "eli@desk", NOW + HOUR)
        assert endpoint_of("erp").model_dump() == before
        announce(event("meanwhile"))
        endpoints.enable("erp", "eli@desk", NOW + HOUR)
        announce(event("after"))

        why = "the endpoint is disabled: by a person"
        assert messages("before") == {"erp": ("skipped", why)}
        assert messages("meanwhile") == {"erp": ("skipped", why)}
        assert messages("after") == {"erp": ("pending", None)}
        view = endpoints.view("erp")
        assert (view.state, view.pending) == ("active", 1)
        assert [(each.what, each.by) for each in view.actions] == [
            ("added", "dana@desk"),
            ("disabled", "dana@desk"),
            ("enabled", "eli@desk"),
        ]

    def test_only_messages_that_wait_for_this_endpoint_are_skipped(self) -> None:
        added("erp")
        added("crm")
        announce(event())
        (sent,) = (each for each in notifications.of_receipt("receipt-1") if each.endpoint_name == "erp")
        attempted(sent.message_id, 200)

        endpoints.disable("erp", "dana@desk", NOW)

        assert messages() == {"erp": ("delivered", None), "crm": ("pending", None)}


@ON_SQLITE
class TestRotate:
    def test_both_keys_sign_until_the_overlap_ends_and_the_old_one_is_forgotten_then(self) -> None:
        old = added()

        new = endpoints.rotate("erp", Rotation(overlap_h=2), "dana@desk", NOW)

        assert new != old
        assert signatures("erp", NOW) == ["v1", "v1"]
        assert signatures("erp", NOW + 2 * HOUR - timedelta(seconds=1)) == ["v1", "v1"]
        assert signatures("erp", NOW + 2 * HOUR) == ["v1"]
        forgotten = [
            (endpoints.forget_old_keys(NOW + hours * HOUR), len(endpoint_of("erp").keys)) for hours in (1, 2, 3)
        ]
        assert forgotten == [(0, 2), (1, 1), (0, 1)]

    def test_endpoint_moves_to_ed25519_with_both_signatures_meanwhile(self) -> None:
        added()
        key = endpoints.rotate("erp", Rotation(signature=Signature.ED25519), "dana@desk", NOW)

        assert signatures("erp", NOW) == ["v1a", "v1"]
        assert signatures("erp", NOW + 24 * HOUR) == ["v1a"]
        assert endpoints.view("erp").signature == Signature.ED25519
        assert endpoint_of("erp").signing_keys[0].public_key == key.public_text

    def test_third_key_does_not_prolong_the_first_and_without_an_overlap_all_old_keys_go(self) -> None:
        added()
        endpoints.rotate("erp", Rotation(overlap_h=1), "dana@desk", NOW)
        endpoints.rotate("erp", Rotation(overlap_h=24), "dana@desk", NOW)

        assert len(signatures("erp", NOW)) == 3
        assert len(signatures("erp", NOW + HOUR)) == 2
        endpoints.rotate("erp", Rotation(overlap_h=0), "dana@desk", NOW)
        assert len(endpoint_of("erp").keys) == 1


@ON_SQLITE
class TestRemove:
    def test_removed_endpoint_hears_nothing_and_its_history_stays(self) -> None:
        added()
        announce(event("before"))

        endpoints.remove("erp", "dana@desk", NOW)
        announce(event("after"))

        assert messages("before") == {"erp": ("skipped", "the endpoint was removed")}
        assert messages("after") == {}
        assert endpoints.listed().items == []
        assert endpoints.view("erp").state == "removed"
        assert endpoint_of("erp").keys == []

    @pytest.mark.parametrize("change", [endpoints.disable, endpoints.enable, endpoints.remove])
    def test_removed_and_unknown_endpoints_cannot_be_changed(self, change: Callable[..., None]) -> None:
        added()
        endpoints.remove("erp", "dana@desk", NOW)
        for name in ("erp", "unknown"):
            with pytest.raises(Refused, match="UNKNOWN_ENDPOINT"):
                change(name, "dana@desk", NOW)


@ON_SQLITE
class TestOfSettings:
    URL = "https://user:hidden@erp.example/hook?token=hidden"

    def test_settings_make_an_endpoint_like_any_other_once(self, configure: Configure) -> None:
        configure(notify_urls=self.URL, notify_secret=SECRET)
        (listed,) = endpoints.listed().items
        announce(event("before"))
        (kept,) = kept_endpoints.kept(lambda *damaged: pytest.fail(str(damaged)))

        endpoints.disable(listed.name, "dana@desk", NOW)
        announce(event())

        assert "hidden" not in listed.model_dump_json()
        assert [(each.what, each.by) for each in listed.actions] == [("added", "settings")]
        assert signatures(listed.name, NOW) == ["v1"]
        assert kept.name == listed.name
        (first,) = notifications.of_receipt("before")
        assert first.message_id == message_id_of("before", self.URL)  # as in builds that had no row of it
        assert messages() == {listed.name: ("skipped", "the endpoint is disabled: by a person")}
        assert len(endpoints.listed().items) == 1

    def test_archive_that_changed_is_one_message(self, configure: Configure) -> None:
        configure(notify_urls=self.URL, notify_secret=SECRET)

        announce(Event(EventType.ARCHIVE_CHANGED, "receipt-1", NOW, b"{}", "process-1"))

        assert [state for state, _ in messages().values()] == ["skipped"]

    def test_endpoint_stays_after_its_url_has_left_the_settings_until_a_person_removes_it(
        self, configure: Configure
    ) -> None:
        configure(notify_urls=self.URL, notify_secret=SECRET)
        (name,) = [each.name for each in endpoints.listed().items]
        with pytest.raises(Refused, match="DECLARED_ENDPOINT"):
            endpoints.remove(name, "dana@desk", NOW)

        configure(notify_urls="")
        announce(event())
        assert messages() == {name: ("pending", None)}
        endpoints.remove(name, "dana@desk", NOW)
        assert endpoints.listed().items == []

        configure(notify_urls=self.URL)
        announce(event("after"))
        assert messages("after") == {name: ("pending", None)}
        assert [each.what for each in endpoints.view(name).actions] == ["added", "removed", "added"]

    def test_without_the_key_that_seals_messages_wait_and_none_is_sent_without_a_signature(
        self, configure: Configure
    ) -> None:
        added()
        key = store().read_bytes(seals.ENDPOINTS_KEY)
        store().remove(seals.ENDPOINTS_KEY)
        seals._kept_key_of_records.cache_clear()
        configure(notify_urls=self.URL, notify_secret=SECRET)
        name = name_of(self.URL)

        announce(event())
        announce(event("receipt-2"))
        assert messages() == {"erp": ("pending", None), name: ("pending", None)}
        with pytest.raises(Locked, match="has no key yet"):
            signatures(name, NOW)

        store().overwrite_bytes(key, seals.ENDPOINTS_KEY)
        endpoints.listed()
        assert signatures(name, NOW) == ["v1"]
        assert kept_endpoints.find(name) == endpoint_of(name)


@ON_SQLITE
class TestMasterKey:
    def test_without_the_master_key_nothing_is_signed_and_the_list_still_shows(self, configure: Configure) -> None:
        configure(seal_keys=b64encode(os.urandom(64)).decode())
        added(headers={"X-Token": "hidden"})

        configure(seal_keys=b64encode(os.urandom(64)).decode())

        with pytest.raises(Locked, match="CELLAR_SEAL_KEYS"):
            headers_of(endpoint_of("erp"), "msg_1", b"{}", NOW)
        assert endpoints.listed().items[0].headers == ["X-Token"]

    def test_without_the_master_key_old_keys_are_kept(self, configure: Configure) -> None:
        configure(seal_keys=b64encode(os.urandom(64)).decode())
        added()
        endpoints.rotate("erp", Rotation(overlap_h=1), "dana@desk", NOW)

        configure(seal_keys=b64encode(os.urandom(64)).decode())

        assert endpoints.forget_old_keys(NOW + HOUR) == 0
        assert len(endpoint_of("erp").keys) == 2

    def test_rotated_master_key_opens_after_the_keys_are_wrapped_anew(self, configure: Configure) -> None:
        old, new = (b64encode(os.urandom(64)).decode() for _ in range(2))
        configure(seal_keys=old)
        added()
        before = headers_of(endpoint_of("erp"), "msg_1", b"{}", NOW)

        configure(seal_keys=f"{new},{old}")
        assert all(seals.rewrap(each) for each in seals.wrapped_keys())
        configure(seal_keys=new)

        assert headers_of(endpoint_of("erp"), "msg_1", b"{}", NOW) == before

    def test_lost_key_is_not_replaced_while_endpoints_are_sealed_with_it(self) -> None:
        added()
        store().remove(seals.ENDPOINTS_KEY)
        seals._kept_key_of_records.cache_clear()

        with pytest.raises(Locked, match="restore it from a backup"):
            added("crm")
        assert rows.find("crm") is None
        assert settings().secret_path("seal").exists()


@ON_SQLITE
def test_definition_in_the_store_is_that_of_the_database() -> None:
    added(sources=["north"], headers={"X-Token": "hidden"})
    endpoints.disable("erp", "dana@desk", NOW)

    (kept,) = kept_endpoints.kept(lambda *damaged: pytest.fail(str(damaged)))

    assert kept.model_dump() == endpoint_of("erp").model_dump()


@pytest.mark.usefixtures("installation")
def test_rotations_at_once_keep_every_key() -> None:
    added()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: endpoints.rotate("erp", Rotation(), "dana@desk", NOW), range(4)))

    assert len(signatures("erp", NOW)) == 5
    (kept,) = kept_endpoints.kept(lambda *damaged: pytest.fail(str(damaged)))
    assert kept.keys == endpoint_of("erp").keys
