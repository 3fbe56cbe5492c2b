"""Runs nginx with the files of `deploy/nginx` in front of real receivers, with a certificate of its own authority."""

import shutil
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
ssl_certificate_key {folder}/cellar.key;
access_log {folder}/access.log cellar;
error_log {folder}/error.log crit;
"""
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


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

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """Return a client of the proxy that calls from an address of this machine."""
        transport = httpx.HTTPTransport(verify=self.tls, local_address=address)
        return httpx.Client(base_url=self.url, transport=transport, timeout=LONGEST_S, trust_env=False)

    def post(self, body: bytes, *, secret: str = SECRET, **headers: str) -> httpx.Response:
        with self.client() as client:
            return client.post("/webhooks/cellosign", content=body, headers={"authorization": secret} | headers)


@contextmanager
def proxied(folder: Path, receivers: int = 2, operators: str = "allow 127.0.0.1; deny all;") -> Iterator[Proxy]:
    """Run receivers that share an inbox, and nginx in front of them. Prefect does not answer."""
    with ExitStack() as stack:
        ran = tuple(stack.enter_context(_receiver(folder, number)) for number in range(receivers))
        port, ingress_port, made = free_port(), free_port(), folder / "nginx"
        made.mkdir()
        shutil.copy(NGINX / "cellar.conf", made)
        (made / "cellar").mkdir()
        _as_root_may_leave(made)
        lines = "".join(f"server 127.0.0.1:{each.port} max_fails=3 fail_timeout=2s;\n" for each in ran)
        (made / "cellar" / "receivers.conf").write_text(lines)
        (made / "cellar" / "site.conf").write_text(_SITE.format(folder=made, port=port))
        (made / "cellar" / "operators.conf").write_text(operators)
        text = _LEAD.format(folder=made, ingress_port=ingress_port, ingress=_locations_of_ingress())
        (made / "nginx.conf").write_text(text)
        authority = _make_certificate(made)
        command = [nginx(), "-e", str(made / "start.log"), "-p", str(made), "-c", str(made / "nginx.conf")]
        process = stack.enter_context(running(command, {}, made / "output.log"))
        tls = ssl.create_default_context(cadata=authority)
        proxy = Proxy(port, ingress_port, made, tls, ran)
        wait_until(lambda: process.poll() is not None or _is_ready(proxy))
        assert process.poll() is None, (made / "output.log").read_text()
        yield proxy


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
def _receiver(folder: Path, number: int) -> Iterator[Receiver]:
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


def _make_certificate(folder: Path) -> str:
    """Write a certificate for 127.0.0.1 and its key, and return the certificate of the authority that signed it."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the test")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cellar")])
    authority = (
        _certificate(issuer, issuer, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    made = (
        _certificate(issuer, subject, key)
        .add_extension(names, critical=False)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    (folder / "cellar.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "cellar.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return authority.public_bytes(serialization.Encoding.PEM).decode()


def _certificate(issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
