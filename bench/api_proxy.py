"""nginx with the shipped configuration before the API, for `bench.api`."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bench.load import get, load
from tests.support.nginx import nginx, write_main_file
from tests.support.ports import free_port
from tests.support.waiting import wait_until

NGINX: Final = Path(__file__).resolve().parents[1] / "deploy" / "nginx"
NAME: Final = "bench"
WORKERS: Final = 2
NO_LIMIT: Final = 1_000_000
"""Requests a second from one address; the shipped limit would refuse a load generator."""


def trusting() -> ssl.SSLContext:
    """A client's TLS settings, which accept the self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def nginx_before(api: int, home: Path) -> Iterator[tuple[int, int]]:
    """Run nginx before the API on this port. Yields nginx's port and the id of its main process."""
    folder, port = home / "nginx", free_port()
    folder.mkdir()
    main = write_main_file(folder, site(folder, api, port), WORKERS)
    process = subprocess.Popen(nginx(folder, "-c", main), stdout=subprocess.DEVNULL)
    try:

        def answers() -> bool:
            with suppress(OSError):
                return bool(load(port, [get("/api/health")], 1, 0.2, tls=trusting()).statuses)
            return False

        wait_until(answers, what="an answer of nginx")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def site(folder: Path, api: int, port: int) -> str:
    """The shipped site with its placeholders filled, on another port and without limits an address."""
    key, certificate = folder / "key", folder / "certificate"
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={NAME}"
    subprocess.run(
        ["openssl", *words.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    text = (NGINX / "peakedex.conf").read_text()
    for old, new in {
        "@API@": f"127.0.0.1:{api}",
        "@NAME@": NAME,
        "@ACME@": folder,
        "@CERT@": certificate,
        "@KEY@": key,
        "@LOG@": folder,
        "@SITE@": NGINX.parents[1] / "frontend",
        "@HEADERS@": NGINX / "peakedex-headers.conf",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl; http2 on;",
        "/var/cache/peakedex-nginx": folder / "cache",
        "rate=50r/s": f"rate={NO_LIMIT}r/s",
        "burst=100": f"burst={NO_LIMIT}",
    }.items():
        assert old in text, old
        text = text.replace(old, str(new))
    return re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
