"""The engines that others make: Postgres, Valkey, SeaweedFS and nginx, with the command that starts each."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import boto3
import pgserver
import psycopg
from pgserver.utils import ensure_user_exists

from tests.conftest import answers, bucket_at, free_port
from tests.distributed.processes import Process

_BINARIES = Path(pgserver.__file__).parent / "pginstall" / "bin"
_PASSWORD = "the password of Redis"


def program(name: str, package: str) -> str:
    """Return the path of a program of Debian."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert found, f"the tests of the distributed form need {name}: apt-get install {package}"
    return found


def postgres(folder: Path, environment: Mapping[str, str], *, connections: int) -> tuple[Process, str]:
    """Return a server, and the URL of its database `postgres`. The folder is new, and other users may enter it."""
    user, port, data = None, free_port(), folder / "data"
    data.mkdir(parents=True)
    if os.geteuid() == 0:
        user = "pgserver"
        ensure_user_exists(user)
        shutil.chown(data, user, user)
    made = [str(_BINARIES / "initdb"), "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(data)]
    as_user = {"user": user, "group": user, "extra_groups": []} if user else {}
    subprocess.run(made, check=True, capture_output=True, cwd=folder, **as_user)  # type: ignore[call-overload]
    options = {"max_connections": connections, "unix_socket_directories": "", "listen_addresses": "127.0.0.1"}
    command = [str(_BINARIES / "postgres"), "-D", str(data), "-p", str(port)]
    command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    process = Process("postgres", command, environment, folder / "postgres.log", lambda: _connects(url), user)
    return process, url


def _connects(url: str) -> bool:
    with suppress(psycopg.OperationalError), closing(psycopg.connect(url, connect_timeout=2)):
        return True
    return False


def valkey(folder: Path, environment: Mapping[str, str]) -> tuple[Process, str]:
    """Return a server that keeps what it was told on disk, and its URL."""
    port = free_port()
    folder.mkdir()
    options = {"bind": "127.0.0.1", "port": port, "dir": folder, "appendonly": "yes", "requirepass": _PASSWORD}
    command = [program("valkey-server", "valkey-server")]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    url = f"redis://:{_PASSWORD.replace(' ', '%20')}@127.0.0.1:{port}/0"
    return Process("redis", command, environment, folder / "redis.log", lambda: _answers_ping(url)), url


def _answers_ping(url: str) -> bool:
    import redis  # noqa: PLC0415 -- a package that only the distributed form needs

    with suppress(redis.RedisError), closing(redis.Redis.from_url(url, socket_timeout=2)) as client:
        return bool(client.ping())
    return False


def seaweed(folder: Path, environment: Mapping[str, str]) -> tuple[Process, dict[str, str]]:
    """Return an S3 server, and the variables with which programs reach it."""
    port = free_port()
    folder.mkdir()
    variables = bucket_at(f"http://127.0.0.1:{port}")
    inner = [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer", "admin")]
    off = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    weed = str(Path(sys.executable).with_name("weed"))
    command = [weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", f"-s3.port={port}", *inner, *off]
    ready = f"http://127.0.0.1:{port}/healthz"
    return Process("s3", command, {**environment, **variables}, folder / "s3.log", lambda: answers(ready)), variables


def make_bucket(variables: Mapping[str, str], name: str) -> None:
    keys = (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    session = boto3.Session(*keys, region_name=variables["AWS_REGION"])
    session.client("s3", endpoint_url=variables["AWS_ENDPOINT_URL"]).create_bucket(Bucket=name)


def nginx(
    folder: Path, environment: Mapping[str, str], *, receivers: Sequence[int], prefects: Sequence[int]
) -> tuple[Process, int, int]:
    """Return a load balancer, and its ports in front of the receivers and of the Prefect servers."""
    folder.mkdir()
    port, prefect_port = free_port(), free_port()
    values = {
        "folder": folder,
        "user": "user root;" if os.geteuid() == 0 else "",
        "receivers": _upstream(receivers),
        "prefects": _upstream(prefects),
        "port": port,
        "prefect_port": prefect_port,
    }
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(**values))
    command = [program("nginx", "nginx"), "-c", str(configuration), "-e", str(folder / "errors.log")]
    ready = f"http://127.0.0.1:{port}/nginx"
    return Process("nginx", command, environment, folder / "nginx.log", lambda: answers(ready)), port, prefect_port


def _upstream(ports: Sequence[int]) -> str:
    """Return the servers of a group.

    Prefect breaks requests off while Redis is away. By default a server is out for 10 s after the first of them, so
    that both would be out all the time, and each answer 502.
    """
    return " ".join(f"server 127.0.0.1:{each} max_fails=3 fail_timeout=2s;" for each in ports)


_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/answers;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_of_upgrade {{ default upgrade; '' ''; }}
  proxy_http_version 1.1; proxy_set_header Host $host; proxy_connect_timeout 2s;
  upstream receivers {{ least_conn; {receivers} keepalive 32; }}
  upstream prefects {{ least_conn; {prefects} keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    location = /nginx {{ return 200; }}
    location / {{ proxy_pass http://receivers; proxy_set_header Connection ''; proxy_request_buffering off; }}
  }}
  server {{
    listen 127.0.0.1:{prefect_port};
    location / {{
      proxy_pass http://prefects; proxy_read_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_of_upgrade;
    }}
  }}
}}
"""
