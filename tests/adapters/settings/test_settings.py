"""Settings come from the environment and from files, with defaults, and errors that name them."""

import os
import re
import stat
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from adapters.settings.environment import settings_environment
from adapters.settings.setting_errors import in_words
from adapters.settings.settings import Settings
from models.errors import Locked, WrongUse
from models.payments import PaymentType, Standing
from tests.conftest import LONGEST_S, Configure


def test_defaults_do_not_change(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELLAR_DATA_DIR")

    made = configure()

    assert made.data_dir == Path("data")
    assert (made.host, made.port, made.prefect_port) == ("127.0.0.1", 8000, 4200)
    assert (made.prefect_api_url, made.prefect_url) == (None, "http://127.0.0.1:4200/api")
    assert (made.public_link, made.error_http, made.timezone, made.amount_unit) == ("token", "mapped", "UTC", "minor")
    assert (made.max_body_bytes, made.notify_allow_private, made.notify_urls) == (2 << 30, False, ())
    assert made.receiver_url == "http://127.0.0.1:8000"
    assert made.inbox_location == str(Path.cwd() / "data" / "inbox")
    assert made.store_location == str(Path.cwd() / "data" / "store")
    assert made.database_location == f"sqlite:///{Path.cwd()}/data/cellar.db"


def test_displayed_prefect_url_has_no_password() -> None:
    made = Settings(prefect_api_url="https://user:pass@prefect.example:4300/api/")

    assert made.prefect_url == "https://user:pass@prefect.example:4300/api"
    assert made.prefect_ui_url == "https://prefect.example:4300"


def test_bucket_inbox_is_passed_to_started_processes(configure: Configure) -> None:
    made = configure(inbox_url="s3://archives/of two/inbox/")

    assert made.inbox_location == "s3://archives/of two/inbox"
    assert settings_environment(made)["CELLAR_INBOX_URL"] == made.inbox_location


def test_variable_overrides_the_dotenv_file(configure: Configure) -> None:
    Path(".env").write_text(
        "CELLAR_PORT=8001\nCELLAR_HOST=example.org\nOTHER_PROGRAM=1\nPREFECT_API_URL=http://p/api\n"
    )

    made = configure(port=8002)

    assert (made.port, made.host, made.prefect_url) == (8002, "example.org", "http://p/api")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", ("a",)), ("a,b", ("a", "b")), (" a , b ,", ("a", "b")), ("", ()), (",", ()), ('["a"]', ('["a"]',))],
)
def test_lists_are_separated_by_commas(configure: Configure, text: str, expected: tuple[str, ...]) -> None:
    assert configure(search_fields=text).search_fields == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "http"),
        ("public_link", "yes"),
        ("error_http", "500"),
        ("amount_unit", "shekel"),
        ("payment_types", "charge"),
        ("payment_types", "charge=revenue"),
        ("payment_types", "charge=settled"),
        ("payment_types", "charge=charged+pin"),
        ("payment_types", "hold=held,hold=charged"),
        ("payment_results", "000"),
        ("payment_results", "result="),
        ("payment_results", "authNumber=1"),
        ("hold_days", "-1"),
        ("max_body_bytes", "0"),
        ("timezone", "Asia/Nowhere"),
        ("business_timezone", "Asia/Nowhere"),
        ("inbox_url", "gs://archives/inbox"),
        ("inbox_url", "s3://"),
        ("inbox_url", "s3:///inbox"),
        ("inbox_url", "s3://key:secret@archives/inbox"),
        ("inbox_url", "file:inbox"),
        ("store_url", "s3:/typo"),
        ("store_url", "gs://archives"),
        ("settlements_url", "file:///srv/reports"),
        ("database_url", "foo"),
        ("database_url", "mysql://u:p@db/cellar"),
        ("database_url", "postgresql+psycopg2://u:p@db/cellar"),
        ("database_url", "postgresql://u:p@db"),
        ("database_url", "postgresql://u:p@p:p@db/cellar"),
        ("database_url", "sqlite://"),
        ("database_url", "sqlite:///:memory:"),
        ("public_url", "cellar.example"),
        ("public_url", "http://[::1"),
        ("notify_urls", "erp.example/hook"),
        ("PREFECT_API_URL", "prefect:4200/api"),
        ("PREFECT_API_URL", "http://prefect:port/api"),
        ("oidc_issuer", "https://login.example.com"),  # without a client
        ("oidc_roles", "ops"),
        ("oidc_roles", "ops=owner"),
        ("oidc_roles", "tellers=clerk"),
        ("oidc_roles", "ops=operator@source=haifa"),
        ("idle_minutes", "4"),
        ("port", "0"),
        ("port", "99999"),
        ("prefect_port", "-1"),
        ("notify_urls", "https://erp.example/hook"),  # without a secret
        ("notify_secret", "whsec_no base64!"),
        ("notify_secret", "whsec_"),
        ("notify_secret", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ],
)
def test_wrong_setting_is_reported_at_start(configure: Configure, name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name.split("_", maxsplit=1)[0] + r"|CELLAR_|PREFECT_"):
        configure(**{name: value})


@pytest.mark.parametrize("issuer", ["http://login.example.com", "login.example.com", "file:///etc"])
def test_provider_of_logins_needs_tls(configure: Configure, issuer: str) -> None:
    client = {"oidc_client_id": "cellar", "oidc_client_secret": "secret", "oidc_roles": "ops=operator"}
    configure(oidc_issuer="https://login.example.com", **client)
    with pytest.raises(ValidationError, match="CELLAR_OIDC_ISSUER"):
        configure(oidc_issuer=issuer, **client)


def test_payments_are_booked_by_a_table_of_types(configure: Configure) -> None:
    default = configure().payment_terms
    made = configure(
        payment_types="sale=charged, j5 = held+auth",
        payment_results="result=000, code = 00,result=OK",
        timezone="Asia/Jerusalem",
    ).payment_terms

    assert default.types == {
        "charge": PaymentType(Standing.CHARGED, needs_authorisation=True),
        "verify_credit_card": PaymentType(Standing.VERIFIED, needs_authorisation=False),
        "hold": PaymentType(Standing.HELD, needs_authorisation=False),
    }
    assert default.results == {"result": {"000"}}
    assert made.types == {
        "sale": PaymentType(Standing.CHARGED, needs_authorisation=False),
        "j5": PaymentType(Standing.HELD, needs_authorisation=True),
    }
    assert made.results == {"result": {"000", "ok"}, "code": {"00"}}
    assert made.zone == ZoneInfo("Asia/Jerusalem")
    assert configure(timezone="UTC", business_timezone="Asia/Tokyo").payment_terms.zone == ZoneInfo("Asia/Tokyo")
    assert configure(payment_types="").payment_terms.types == {}


def test_error_about_a_setting_reveals_no_secrets(configure: Configure) -> None:
    with pytest.raises(ValidationError) as wrong:
        configure(
            webhook_secrets="secret-1 secret-1,secret-2 secret-2",
            api_tokens="secret-3" * 4,
            notify_urls="http://e/?secret-4",
            port="secret-5",
        )
    assert "secret" not in str(wrong.value).replace("CELLAR_NOTIFY_SECRET", "")

    with pytest.raises(ValidationError, match="CELLAR_NOTIFY_URLS") as wrong:
        configure(port=1)
    assert "secret" not in str(wrong.value).replace("CELLAR_NOTIFY_SECRET", "")


def test_repr_shows_no_secret(configure: Configure) -> None:
    made = configure(
        webhook_secrets="hidden-1" * 2,
        api_tokens="hidden-2" * 4,
        link_secret="hidden-3" * 4,
        seal_keys="hidden" * 14 + "ab==",
        notify_secret="whsec_hidden44" + "hidden44" * 4,
        notify_urls="https://hidden-5:hidden-6@erp.example/hidden-7",
        database_url="postgresql://u:hidden-8@db/cellar",
        PREFECT_API_AUTH_STRING="admin:hidden-9",
        oidc_client_secret="hidden-14",
        store_url="hidden-10",
        inbox_url="hidden-13",
        PREFECT_API_URL="https://u:hidden-12@prefect.example/api",
    )

    assert "hidden" not in repr(made)
    assert "hidden" not in str(made)


@pytest.mark.parametrize(
    ("name", "least"), [("webhook_secrets", 16), ("api_tokens", 32), ("link_secret", 32), ("notify_secret", 24)]
)
def test_short_secret_is_refused_with_the_command_that_makes_one(configure: Configure, name: str, least: int) -> None:
    def _made(size: int) -> str:
        return f"whsec_{b64encode(b'x' * size).decode()}" if name == "notify_secret" else "x" * size

    with pytest.raises(ValidationError) as refused:
        configure(**{name: _made(least - 1)})
    assert f"CELLAR_{name.upper()}: expected" in str(refused.value)
    assert re.search(r"`openssl rand -(hex|base64) \d+`", str(refused.value))
    assert "xxx" not in str(refused.value)
    assert _made(least) in getattr(configure(**{name: _made(least)}), name)


@pytest.mark.parametrize("name", ["webhook_secrets", "api_tokens"])
def test_one_short_secret_beside_a_long_one_is_refused(configure: Configure, name: str) -> None:
    with pytest.raises(ValidationError, match=f"CELLAR_{name.upper()}: expected"):
        configure(**{name: f"{'x' * 40},x"})


def test_configured_secret_is_used_and_none_is_generated(configure: Configure) -> None:
    made = configure(webhook_secrets=f"{'old' * 6},{'new' * 6}", api_tokens="t" * 32, link_secret="l" * 32)

    assert made.active_webhook_secrets() == ("old" * 6, "new" * 6)
    assert (made.active_api_tokens(), made.active_link_secret()) == (("t" * 32,), "l" * 32)
    assert not (made.data_dir / "secrets").exists()


def test_generated_secret_is_readable_by_its_owner_only(configure: Configure) -> None:
    made = configure()

    (secret,) = made.active_webhook_secrets()

    kept = made.data_dir / "secrets"
    assert len(secret) >= 40
    assert stat.S_IMODE((kept / "webhook").stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert [each.name for each in kept.iterdir()] == ["webhook"]


def test_generated_secrets_survive_a_restart_and_differ_by_purpose(configure: Configure) -> None:
    first = configure()
    secrets = {*first.active_webhook_secrets(), *first.active_api_tokens(), first.active_link_secret()}

    again = configure()

    assert len(secrets) == 3
    assert {*again.active_webhook_secrets(), *again.active_api_tokens(), again.active_link_secret()} == secrets


def test_processes_that_start_together_share_one_secret(configure: Configure) -> None:
    configure()
    project = Path(__file__).parents[3]
    make = "from adapters.settings.settings import Settings; print(Settings().active_link_secret())"
    program = f"import sys; sys.stdin.read(); {make}"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": str(project)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin
        process.stdin.close()  # starts the process

    said = []
    for process in started:
        assert process.stdout
        said.append(process.stdout.read().strip())
        process.stdout.close()
        assert process.wait(LONGEST_S) == 0
    assert len(set(said)) == 1
    assert len(said[0]) >= 40


# Prints each fsync and the link of a secret, in order.
TRACE = """
import os, pathlib
from adapters.settings.settings import Settings

def reported(name, original, which):
    def call(*arguments, **named):
        target = arguments[which]
        path = pathlib.Path(os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else target)
        print(name, "part" if path.is_file() and name == "fsync" else path.name)
        return original(*arguments, **named)
    return call

os.fsync, os.link = reported("fsync", os.fsync, 0), reported("link", os.link, 1)
Settings().active_seal_keys()
"""


def test_generated_secret_survives_a_power_cut(configure: Configure) -> None:
    data_dir = configure().data_dir.absolute()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}

    done = subprocess.run([sys.executable, "-c", TRACE], env=environment, capture_output=True, text=True, check=True)

    folders = [f"fsync {data_dir.parent.name}", f"fsync {data_dir.name}"]
    assert done.stdout.splitlines() == [*folders, "fsync part", "link seal", "fsync secrets"]


@pytest.mark.parametrize("name", ["webhook", "api", "link"])
@pytest.mark.parametrize("text", ["", "a short text"])
def test_file_of_a_short_secret_is_refused(configure: Configure, name: str, text: str) -> None:
    made = configure()
    (made.data_dir / "secrets").mkdir(parents=True)
    (made.data_dir / "secrets" / name).write_text(text)
    uses = {
        "webhook": made.active_webhook_secrets,
        "api": made.active_api_tokens,
        "link": made.active_link_secret,
    }

    with pytest.raises(Locked, match=f"secrets/{name} has fewer than"):
        uses[name]()


@pytest.mark.parametrize("root", ["nowhere.pem", "no-certificate.pem"])
def test_trusted_root_without_a_certificate_is_refused_at_start(tmp_path: Path, root: str) -> None:
    (tmp_path / "no-certificate.pem").write_text("a key, or a letter")

    with pytest.raises(ValidationError, match="CELLAR_TRUST_ROOTS"):
        Settings(trust_roots=(str(tmp_path / root),))


def test_xml_trust_list_without_the_certificate_of_its_signer_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "list.xml").write_text("\ufeff<TrustServiceStatusList/>")

    with pytest.raises(ValidationError, match="certificate of each XML list"):
        Settings(trust_lists=(str(tmp_path / "list.xml"),))


@pytest.mark.parametrize("address", ["clamav", "3310", ":3310", "clamav:", "clamav:port", "clamav:0", "clamav:70000"])
def test_address_of_clamd_without_host_and_port_is_refused_at_start(address: str) -> None:
    with pytest.raises(ValidationError, match=f"CELLAR_CLAMD: expected HOST:PORT.* got '{address}'"):
        Settings(clamd=address)


@pytest.mark.parametrize("address", ["clamav:3310", "[::1]:3310", "/run/clamav/clamd.ctl"])
def test_address_of_clamd_is_a_host_with_a_port_or_a_socket(address: str) -> None:
    assert Settings(clamd=address).clamd == address


@pytest.mark.parametrize("keys", ["short", "c2hvcnQ=", f"{'A' * 86}==,{'A' * 85}", f"{'-' * 86}=="])
def test_malformed_seal_key_is_refused_without_repeating_it(configure: Configure, keys: str) -> None:
    with pytest.raises(ValidationError, match="CELLAR_SEAL_KEYS") as wrong:
        configure(seal_keys=keys)

    assert keys not in str(wrong.value)


def test_seal_keys_are_configured_or_generated_once(configure: Configure) -> None:
    made = configure()

    (key,) = made.active_seal_keys()

    assert len(key) == 64
    assert stat.S_IMODE((made.data_dir / "secrets" / "seal").stat().st_mode) == 0o600
    assert configure().active_seal_keys() == (key,)
    assert configure(seal_keys=f"{'A' * 86}==, {'B' * 85}A==").active_seal_keys()[0] == bytes(64)


SLACK, MAIL = "slack://a/b/c/#one,#two", "mailtos://u:p@example.com?to=d@example.com,e@example.com"


def test_comma_before_a_scheme_parts_two_addresses(configure: Configure) -> None:
    made = configure(people_urls=f"{SLACK}, {MAIL},json://x")

    assert made.people_urls == (SLACK, MAIL, "json://x")
    assert settings_environment(made)["CELLAR_PEOPLE_URLS"] == f"{SLACK},{MAIL},json://x"


@pytest.mark.parametrize("wrong", ["password-4711", "slack:password-4711", "://password-4711", f"{SLACK},mailto://"])
def test_address_without_scheme_or_place_is_wrong_and_is_not_repeated(configure: Configure, wrong: str) -> None:
    with pytest.raises(ValidationError, match="CELLAR_PEOPLE_URLS: expected addresses of apprise") as raised:
        configure(people_urls=wrong)

    assert "4711" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", "http", "CELLAR_PORT: expected a whole number, got 'http'"),
        ("prefect_port", "99999", "CELLAR_PREFECT_PORT: expected at most 65535, got '99999'"),
        ("body_timeout_s", "0", "CELLAR_BODY_TIMEOUT_S: expected more than 0.0, got '0'"),
        ("notify_allow_private", "perhaps", "CELLAR_NOTIFY_ALLOW_PRIVATE: expected true or false, got 'perhaps'"),
        ("public_link", "no", "CELLAR_PUBLIC_LINK: expected token or none, got 'no'"),
        ("timezone", "Asia/Nowhere", "CELLAR_TIMEZONE: expected a time zone such as Asia/Jerusalem"),
    ],
)
def test_wrong_value_is_described(configure: Configure, name: str, value: str, words: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        configure(**{name: value})

    assert in_words(wrong.value) == words


def test_port_that_kubernetes_has_set_is_explained(configure: Configure) -> None:
    with pytest.raises(ValidationError) as wrong:
        configure(port="tcp://10.0.0.1:80")

    assert "enableServiceLinks" in in_words(wrong.value)


def test_wrong_url_of_the_database_is_described_without_its_password(configure: Configure) -> None:
    for url in ("mysql://user:hidden@db/cellar", "postgresql://user:hid@den@db", "postgresql://user:hid@den:1@db/d"):
        with pytest.raises(ValidationError) as wrong:
            configure(database_url=url)

        assert in_words(wrong.value).startswith("CELLAR_DATABASE_URL: expected sqlite:///FILE")
        assert not any(each in in_words(wrong.value) for each in ("hid", "den", "user:"))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("CELLAR_NOTIFY_URL", "did you mean CELLAR_NOTIFY_URLS?"),
        ("CELLAR_STORE_ULR", "did you mean CELLAR_STORE_URL?"),
        ("CELLAR_WEBHOOK_SECRET", "did you mean CELLAR_WEBHOOK_SECRETS?"),
        ("CELLAR_FOO", "remove it"),
    ],
)
def test_unknown_variable_is_refused_with_the_nearest_setting(configure: Configure, name: str, nearest: str) -> None:
    with pytest.raises(WrongUse, match=name) as refused:
        configure(**{name: "hidden"})

    assert nearest in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_unknown_name_in_the_env_file_is_refused_with_its_path(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OTHER=1\ncellar_prot=1\n")

    with pytest.raises(WrongUse, match=f"cellar_prot in {tmp_path}/.env .* CELLAR_PORT"):
        configure()


def test_env_file_that_is_no_text_is_refused_with_its_path(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")

    with pytest.raises(WrongUse, match=f"{tmp_path}/.env cannot be read"):
        configure()


def test_variables_of_services_in_kubernetes_are_no_settings(configure: Configure) -> None:
    made = configure(
        CELLAR_SERVICE_HOST="10.0.0.1",
        CELLAR_SERVICE_PORT_HTTP="80",
        CELLAR_PORT_80_TCP_ADDR="10.0.0.1",
        CELLAR_DB_PORT="tcp://10.0.0.2:5432",
    )

    assert made.port == 8000
