"""The site behind nginx: the installed configuration, run by a real nginx before a real API."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from api.http.errors import problem_body
from tests.support.doc_examples import answers
from tests.support.nginx import nginx, write_main_file
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.system.cli.world import running
from tests.system.deploy.server import NAME, Done, Machine
from tests.system.store.chains import lively, replay

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


@dataclass
class Proxy:
    """nginx, and the API behind it."""

    folder: Path
    api: str
    plain: int
    secure: int
    log: Callable[[], str]  # of the API

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.secure}"

    def get(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, **options: Any
    ) -> requests.Response:
        return requests.request(
            method,
            self.url + path,
            headers={"Host": NAME, **(headers or {})},
            verify=False,
            timeout=60,
            allow_redirects=False,
            **options,
        )


def configuration(machine: Machine, proxy: Proxy) -> Path:
    """The installed file, with other ports and below the machine's root, in a main file of its own."""
    root, folder = machine.root, proxy.folder
    text = (root / "etc/nginx/sites-enabled/peakedex.conf").read_text()
    assert "@" not in re.sub(r"error_page.*|location @\w+", "", text)
    for old, new in (
        ("listen 80;", f"listen 127.0.0.1:{proxy.plain};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{proxy.secure} ssl; http2 on;"),
        ("server 127.0.0.1:8080;", f"server {proxy.api.removeprefix('http://')};"),
        ("proxy_cache_path /var/cache/peakedex-nginx", f"proxy_cache_path {folder}/cache"),
        ("include snippets/", f"include {root}/etc/nginx/snippets/"),
    ):
        assert old in text
        text = text.replace(old, new)
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=[ \"])/(opt|etc|var)/", rf"{root}/\1/", text)
    return write_main_file(folder, text)


@pytest.fixture(scope="module")
def proxy(installed: tuple[Machine, Done], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("nginx")
    _, database = replay(lively().write(folder / "recorded"), str(folder / "dex.db"))
    database.dispose()
    local = installed[0].root / "etc/nginx/snippets/peakedex-local.conf"
    local.write_text("location = /operators-own { return 200 mine; }\n")
    port = free_port()
    words = ("--port", port, "--workers", 1, "--trusted-proxy", "127.0.0.1", "--access-log", "on")
    other = ("--cors-origin", "https://other.example")
    with running(folder, "serve", "--db", folder / "dex.db", *words, *other) as api:
        here = Proxy(folder, f"http://127.0.0.1:{port}", free_port(), free_port(), lambda: api.said)
        api.wait_until(lambda: answers(f"{here.api}/api/health"))
        with run_nginx(here, configuration(installed[0], here)):
            yield here


@contextmanager
def run_nginx(proxy: Proxy, main: Path) -> Iterator[None]:
    """Run nginx with this configuration; yields once it accepts connections."""
    process = subprocess.Popen(nginx(proxy.folder, "-c", main), stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or reachable(proxy.secure), what="nginx")
        assert process.poll() is None, (proxy.folder / "errors").read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_nginx_finds_no_fault(proxy: Proxy) -> None:
    done = subprocess.run(
        nginx(proxy.folder, "-t", "-c", proxy.folder / "nginx.conf"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [
        line
        for line in (done.stderr + (proxy.folder / "errors").read_text()).splitlines()
        if "[warn]" in line
    ] == []


def test_the_status_page_s_history_is_the_monitor_s_or_the_site_s_own(
    proxy: Proxy, installed: tuple[Machine, Done]
) -> None:
    assert proxy.get("/status.html").status_code == 200
    own = proxy.get("/status.json")
    assert (own.status_code, own.json()["now"]) == (200, None)
    folder = installed[0].root / "var/lib/peakedex-notify"
    folder.mkdir(mode=0o755)
    try:
        (folder / "status.json").write_text('{"version":1,"updated":"now"}')
        kept = proxy.get("/status.json")
    finally:
        shutil.rmtree(folder)  # other tests look at the same machine
    assert kept.json()["updated"] == "now"
    for answer in (own, kept):
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert proxy.get("/state.json").status_code == 404


def test_the_operator_s_own_directives_are_in_the_server(proxy: Proxy) -> None:
    """Written into the local file before nginx started."""
    answer = proxy.get("/operators-own")
    assert (answer.status_code, answer.text) == (200, "mine")


def test_plain_http_goes_to_tls_but_for_the_certificate_s_own_questions(
    proxy: Proxy, installed: tuple[Machine, Done]
) -> None:
    url = f"http://127.0.0.1:{proxy.plain}"
    moved = requests.get(
        f"{url}/trade.html?base=PEK", headers={"Host": NAME}, allow_redirects=False, timeout=30
    )
    assert (moved.status_code, moved.headers["Location"]) == (301, f"https://{NAME}/trade.html?base=PEK")
    asked = installed[0].root / "var/lib/peakedex-acme/.well-known/acme-challenge/token"
    asked.parent.mkdir(parents=True, exist_ok=True)
    asked.write_text("answer")
    assert (
        requests.get(f"{url}/.well-known/acme-challenge/token", headers={"Host": NAME}, timeout=60).text
        == "answer"
    )


def test_old_tls_is_refused(proxy: Proxy) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", proxy.secure)) as raw, context.wrap_socket(raw) as secured:
        assert secured.version() == "TLSv1.3"
    text = (proxy.folder / "site.conf").read_text()
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
        "/css/site.css",
        "/js/data/api.js",
        "/icon.svg",
        "/none.html",
    ],
)
def test_the_site_comes_with_the_headers_that_serve_sends(proxy: Proxy, path: str) -> None:
    ours, theirs = proxy.get(path), requests.get(proxy.api + path, timeout=60)
    assert ours.status_code == theirs.status_code
    if ours.status_code == 200:
        assert ours.content == theirs.content
        assert ours.headers["Cache-Control"] == "no-cache"
        assert ours.headers["Content-Type"].split(";")[0] == theirs.headers["Content-Type"].split(";")[0]
        again = proxy.get(path, headers={"If-None-Match": ours.headers["ETag"]})
        assert again.status_code == 304
        assert {name: ours.headers.get(name) for name in PROTECTS} == {
            name: theirs.headers[name] for name in PROTECTS
        }
    assert ours.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_what_comes_from_others_is_kept_for_a_day(proxy: Proxy) -> None:
    answer = proxy.get("/vendor/lightweight-charts.js")
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
    assert answer.headers["Content-Encoding"] == "gzip"


def test_responses_of_the_api_are_passed_on(proxy: Proxy) -> None:
    headers = {"Origin": "https://other.example"}
    ours = proxy.get("/api/pairs", headers=headers)
    theirs = requests.get(f"{proxy.api}/api/pairs", headers=headers, timeout=60)
    assert ours.content == theirs.content
    kept = ("ETag", "Access-Control-Allow-Origin", "Content-Security-Policy", "Cache-Control")
    assert {name: ours.headers.get(name) for name in kept} == {
        name: theirs.headers.get(name) for name in kept
    }
    assert ours.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in proxy.get("/api/pairs", headers={"Accept-Encoding": "identity"}).headers
    third = proxy.get("/api/pairs", headers={"Origin": "https://third.example"})
    assert "Access-Control-Allow-Origin" not in third.headers
    assert proxy.get("/api/nothing").json()["code"] == "E_NOT_FOUND"
    assert proxy.get("/api/pairs", "POST").status_code == 405
    assert proxy.get("/index.html", "POST").status_code == 403
    assert proxy.get("/metrics").status_code == 404


def logged(proxy: Proxy, request: str) -> list[str]:
    """Statuses of a request in the API's log."""
    return re.findall(rf"GET {re.escape(request)} ([0-9]{{3}})", proxy.log())


def test_within_a_second_responses_come_from_the_cache(proxy: Proxy) -> None:
    path = "/api/orders?limit=7"

    def ask_ten_times() -> bool:  # a second may end in the middle
        before = len(logged(proxy, path))
        answers = [proxy.get(path) for _ in range(10)]
        assert len({answer.content for answer in answers}) == 1
        assert len({answer.headers["X-Request-Id"] for answer in answers}) == 10
        etag = answers[0].headers["ETag"]
        assert proxy.get(path, headers={"If-None-Match": etag}).status_code == 304
        return len(logged(proxy, path)) - before <= 2

    wait_until(ask_ten_times)


def test_clients_with_and_without_compression_share_two_cached_forms(proxy: Proxy) -> None:
    path = "/api/orders?limit=9"
    accepted = ("gzip", "gzip, deflate, br", "deflate, gzip", "identity", "br")

    def ask() -> bool:  # a second may end in the middle
        before = len(logged(proxy, path))
        answers = [proxy.get(path, headers={"Accept-Encoding": name}) for name in accepted]
        assert len({answer.content for answer in answers}) == 1
        forms = ["Content-Encoding" in answer.headers for answer in answers]
        assert forms == [True, True, True, False, False]
        return len(logged(proxy, path)) - before <= 2

    wait_until(ask)


def test_an_expired_response_is_revalidated(proxy: Proxy) -> None:
    path = "/api/orders?limit=8"

    def is_revalidated() -> bool:
        assert proxy.get(path).status_code == 200
        return "304" in logged(proxy, path)

    wait_until(is_revalidated)
    assert set(logged(proxy, path)[1:]) == {"304"}


@pytest.mark.parametrize("path", ["/api/udf/time", "/api/pairs?unknown=1"])
def test_what_must_not_be_stored_is_not_cached(proxy: Proxy, path: str) -> None:
    statuses = [str(proxy.get(path).status_code) for _ in range(5)]
    wait_until(lambda: logged(proxy, path) == statuses)


def test_streams_are_neither_buffered_nor_cached(proxy: Proxy) -> None:
    """The first events arrive while the response goes on, to each client from the API."""
    path = "/api/stream?topics=block"
    for number in (1, 2):
        answer = proxy.get(path, stream=True)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert b"event:" in next(answer.iter_content(None))
        answer.close()
        assert len(logged(proxy, path)) == number


def test_what_a_client_claims_of_its_address_is_not_believed(proxy: Proxy) -> None:
    """Or it would have a limit of its own for each address that it makes up."""
    asked = proxy.get("/api/pairs?unknown=2", headers={"X-Forwarded-For": "10.9.8.7"})
    assert asked.status_code == 400
    wait_until(lambda: logged(proxy, "/api/pairs?unknown=2"), what=proxy.log)
    assert "10.9.8.7" not in proxy.log()


@pytest.fixture(scope="module")
def alone(installed: tuple[Machine, Done], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """nginx without an API, that lets an address ask three times and then once a minute."""
    folder = tmp_path_factory.mktemp("alone")
    here = Proxy(folder, f"http://127.0.0.1:{free_port()}", free_port(), free_port(), lambda: "")
    main = configuration(installed[0], here)
    site = folder / "site.conf"
    site.write_text(site.read_text().replace("rate=50r/s", "rate=1r/m").replace("burst=100", "burst=2"))
    with run_nginx(here, main):
        yield here


def test_a_silent_api_and_too_many_requests_are_told_as_the_api_would(alone: Proxy) -> None:
    away = problem_body("E_NOT_READY", "The API does not answer: it may be starting.")
    busy = problem_body("E_TOO_MANY", "Too many requests from your address: try again in a second.")
    assert alone.get("/api/stream?topics=block").content == away
    found = [alone.get("/api/pairs") for _ in range(4)]
    assert [answer.status_code for answer in found] == [503, 503, 503, 429]
    assert [answer.content for answer in found] == [away, away, away, busy]
    for answer in found:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert int(answer.headers["Retry-After"]) > 0
    assert alone.get("/index.html").status_code == 200
