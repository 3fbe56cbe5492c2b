"""Runs nginx with the files of `deploy/nginx` in front of real receivers, with a certificate of its own authority."""

import shutil
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme
import yaml

from tests.api.conftest import LINK_KEY, SECRET, TOKEN, Receiver, started
from tests.conftest import LONGEST_S, free_port, running, wait_until
from tests.installations import installed

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = DEPLOY / "nginx"
_LEAD = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/main.log notice;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include cellar.conf;
    {prefect}
    server {{
        listen 127.0.0.1:{ingress_port};
        access_log off;
        {ingress}
        location / {{ return 404; }}
    }}
}}
"""
_SITE = """
listen 127.0.0.1:{port} ssl;
server_name localhost;
ssl_certificate {folder}/cellar.pem;
ssl_certificate_key {folder}/cellar.pem;
access_log {folder}/access.log cellar;
error_log {folder}/error.log crit;
"""
_PEOPLE = """
listen 127.0.0.1:{port} ssl;
set $cellar_console https://127.0.0.1:{console_port};
ssl_certificate {folder}/cellar.pem;
ssl_certificate_key {folder}/cellar.pem;
"""


@dataclass(frozen=True, slots=True)
class Prefect:
    """The port of a Prefect server, the folder with the secrets of its login, and the port at which people reach it."""

    port: int
    secrets: Path
    people_port: int

    @property
    def url(self) -> str:
        """The URL of Prefect for people."""
        return f"https://127.0.0.1:{self.people_port}"


@dataclass(frozen=True, slots=True)
class Proxy:
    port: int
    ingress_port: int
    folder: Path
    tls: ssl.SSLContext
    receivers: tuple[Receiver, ...]

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def client(self, address: str = "127.0.0.1", url: str = "") -> httpx.Client:
        """Return a client of the proxy that calls from an address of this machine."""
        transport = httpx.HTTPTransport(verify=self.tls, local_address=address)
        return httpx.Client(base_url=url or self.url, transport=transport, timeout=LONGEST_S, trust_env=False)

    def post(self, body: bytes, *, secret: str = SECRET, **headers: str) -> httpx.Response:
        with self.client() as client:
            return client.post("/webhooks/cellosign", content=body, headers={"authorization": secret} | headers)


@contextmanager
def proxied(
    folder: Path,
    receivers: int = 2,
    operators: str = "allow 127.0.0.1; deny all;",
    prefect: Prefect | None = None,
) -> Iterator[Proxy]:
    """Run receivers that share an inbox, and nginx in front of them and of a Prefect server, if there is one."""
    with ExitStack() as stack:
        port, ingress_port, made = free_port(), free_port(), folder / "nginx"
        ran = tuple(stack.enter_context(_receiver(folder, number, port)) for number in range(receivers))
        made.mkdir()
        shutil.copy(NGINX / "cellar.conf", made)
        (made / "cellar").mkdir()
        _as_root_may_leave(made)
        lines = "".join(f"server 127.0.0.1:{each.port} max_fails=3 fail_timeout=2s;\n" for each in ran)
        (made / "cellar" / "receivers.conf").write_text(lines)
        (made / "cellar" / "site.conf").write_text(_SITE.format(folder=made, port=port))
        (made / "cellar" / "operators.conf").write_text(operators)
        if prefect:
            _let_people_in(made, prefect, port)
        included = "include prefect.conf; include prefect-people.conf;" if prefect else ""
        ingress = _locations_of_ingress()
        text = _LEAD.format(folder=made, ingress_port=ingress_port, ingress=ingress, prefect=included)
        (made / "nginx.conf").write_text(text)
        authority, tls = trustme.CA(), ssl.create_default_context()
        authority.configure_trust(tls)
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(made / "cellar.pem")
        command = [nginx(), "-e", str(made / "start.log"), "-p", str(made), "-c", str(made / "nginx.conf")]
        process = stack.enter_context(running(command, {}, made / "output.log"))
        proxy = Proxy(port, ingress_port, made, tls, ran)
        wait_until(lambda: process.poll() is not None or _is_ready(proxy))
        assert process.poll() is None, (made / "output.log").read_text()
        yield proxy


def _let_people_in(made: Path, prefect: Prefect, console_port: int) -> None:
    for name in ("prefect.conf", "prefect-people.conf"):
        shutil.copy(NGINX / name, made)
    people = _PEOPLE.format(folder=made, port=prefect.people_port, console_port=console_port)
    (made / "cellar" / "prefect-people-site.conf").write_text(people)
    (made / "cellar" / "prefect-site.conf").write_text(f"listen 127.0.0.1:{free_port()};")
    (made / "cellar" / "prefects.conf").write_text(f"server 127.0.0.1:{prefect.port};")
    (made / "cellar" / "prefect-login.conf").write_text(f"include {prefect.secrets}/prefect-login.conf;")


def _locations_of_ingress() -> str:
    """Return the locations that ingress-nginx writes for the Ingress of Kubernetes (its template/template.go)."""
    ingress = yaml.safe_load((DEPLOY / "kubernetes" / "overlays" / "production" / "ingress.yaml").read_text())
    (rule,) = ingress["spec"]["rules"]
    target = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/rewrite-target"]
    return "".join(
        f'location ~* "^{each["path"]}" {{ rewrite "(?i){each["path"]}" {target} break; '
        "proxy_pass http://cellar_receivers; }\n"
        for each in rule["http"]["paths"]
    )


def nginx() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert found, "nginx is missing: apt-get install nginx"
    return found


def _as_root_may_leave(folder: Path) -> None:
    """Let nginx's workers, which are another user under root, write below `folder`, and nobody else read its keys."""
    for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
        (folder / name).mkdir()
    for each in (folder, *folder.parents[:3]):
        each.chmod(each.stat().st_mode | 0o011)


@contextmanager
def _receiver(folder: Path, number: int, port: int) -> Iterator[Receiver]:
    home = folder / f"receiver-{number}"
    home.mkdir()
    with (
        installed(
            home,
            inbox_url=folder / "inbox",
            webhook_secrets=SECRET,
            api_tokens=TOKEN,
            link_secret=LINK_KEY,
            error_http="mapped",
            public_url=f"https://127.0.0.1:{port}",
        ),
        started() as receiver,
    ):
        yield receiver


def _is_ready(proxy: Proxy) -> bool:
    try:
        with proxy.client() as client:
            return client.get("/readyz").is_success
    except httpx.HTTPError:
        return False
