"""Behaviour common to all paths: methods, ETag and 304, headers, errors, CORS."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from api.app import create_app
from api.settings import ApiSettings, SettingsError, default_frontend
from settlement.store.indexer_status import IndexerStatus, write_status
from tests.support.api_client import ApiClient
from tests.system.api.examples import PACKED
from tests.system.api.pages import Page
from tests.system.api.problems import problem
from tests.system.api.world import World, transaction

PATHS = [
    "/api/health",
    "/api/ready",
    "/api/venue",
    "/api/pairs",
    "/api/orderbook?base=PEK&quote=HBD",
    "/api/history?base=PEK&quote=HBD",
    "/api/price?base=PEK&quote=HBD",
    "/api/balances?user=bob",
    "/api/orders",
    f"/api/orders/{transaction(5)}",
    f"/api/intents/{transaction(5)}",
]

EVERY = [
    example["address"]
    for examples in json.loads(PACKED.read_text("utf-8")).values()
    for example in examples
    if example["status"] == 200 and "validate_account" not in example["address"]
]
"""All addresses of the documentation that give an answer out of the database."""


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_names_its_block(world: World, client: ApiClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.json["block"] == world.block
    assert answer.json["ts"] == "2026-09-21T14:13:53Z"
    assert answer.mimetype == "application/json"
    assert answer.headers["ETag"].startswith(f'W/"{world.block}-')
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", EVERY)
def test_a_conditional_request_gives_304(client: ApiClient, path: str) -> None:
    etag = client.get(path).headers["ETag"]
    for held in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        answer = client.get(path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert "Content-Type" not in answer.headers
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept-Encoding": "gzip, br, zstd"},
        {"Origin": "https://peakedex.example"},
        {"If-None-Match": 'W/"0-0"'},
        {"If-Modified-Since": "Sat, 01 Jan 2022 00:00:00 GMT"},
    ],
)
def test_a_cached_response_equals_the_first_one(world: World, headers: dict[str, str]) -> None:
    """Everything but the request's id, also after requests with other headers."""
    client, other = (world.client(cors_origins=("https://peakedex.example",)) for _ in range(2))
    for path in (
        "/api/pairs",
        "/api/history?user=bob",
        "/api/coingecko/tickers",
        "/api/orderbook?base=PEK&quote=HBD&block=1002",
    ):
        client.get(path)
        first, second, alone = (each.get(path, headers=headers) for each in (client, client, other))
        assert comparable(first) == comparable(second) == comparable(alone)
        assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


def comparable(answer: TestResponse) -> tuple[object, ...]:
    headers = sorted((name, value) for name, value in answer.headers if name not in ("X-Request-Id", "Date"))
    return answer.status, headers, answer.data


@pytest.mark.parametrize("path", ["/api/orders", "/api/state", "/api/solvency"])
def test_a_body_is_compressed_for_clients_that_accept_it(client: ApiClient, path: str) -> None:
    plain = client.get(path)
    assert plain.headers["Vary"] == "Accept-Encoding"
    for accepted in ("gzip", "br, gzip;q=0.5", "*"):
        packed = client.get(path, headers={"Accept-Encoding": accepted})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        assert packed.headers["ETag"] == plain.headers["ETag"]
        assert packed.headers["Content-Length"] == str(len(packed.data))
    for accepted in ("", "br", "gzip;q=0", "identity"):
        assert client.get(path, headers={"Accept-Encoding": accepted}).data == plain.data


def test_a_short_body_is_never_compressed(client: ApiClient) -> None:
    answer = client.get("/api/orders?user=nobody", headers={"Accept-Encoding": "gzip"})
    assert answer.json["orders"] == []
    assert "Content-Encoding" not in answer.headers
    assert "Vary" not in answer.headers


def test_etags_differ_by_address_and_by_block(fresh: World) -> None:
    client = fresh.client()
    first = {client.get(path).headers["ETag"] for path in ("/api/pairs", "/api/venue", "/api/orders")}
    assert len(first) == 3
    fresh.apply()
    assert client.get("/api/pairs").headers["ETag"] not in first


def test_a_cached_response_is_replaced_by_the_next_block(fresh: World) -> None:
    client = fresh.client()
    assert client.get("/api/orders").data == client.get("/api/orders").data
    fresh.apply(fresh.deposit("alice", "PEK", "5"), fresh.order("alice", "sell", "1", "1"))
    assert len(client.get("/api/orders").json["orders"]) == 1


@pytest.mark.parametrize("path", [*EVERY, "/metrics", "/api/docs", "/api/nothing", "/", "/config.js"])
def test_nothing_else_than_reading(client: ApiClient, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "X"):
        answer = client.open(path, method=method, data=b'{"a": 1}')
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET, HEAD, OPTIONS"
        expected = problem("E_METHOD", "This API is read-only: use GET, HEAD or OPTIONS.")
        assert {name: answer.json[name] for name in expected} == expected


def test_there_is_no_secret_no_session_and_no_way_to_write(world: World) -> None:
    app = world.client().application
    assert app.secret_key is None
    for rule in app.url_map.iter_rules():
        assert rule.methods is not None
        assert rule.methods <= {"GET", "HEAD", "OPTIONS"}, rule
    for path in EVERY:
        asked = ApiClient(app).get(path, headers={"Cookie": "session=x; user=admin"})
        assert (asked.status_code, "Set-Cookie" in asked.headers) == (200, False)


@pytest.mark.parametrize("path", EVERY)
def test_head_and_options(client: ApiClient, path: str) -> None:
    get, head, options = client.get(path), client.head(path), client.options(path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == get.headers["ETag"]
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.headers["Content-Length"] == str(len(get.data))
    assert (options.status_code, options.data) == (200, b"")
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/pairs/",
        "//api/pairs",
        "/api//pairs",
        "/%00",
        "/../x",
        "/api/orders/a/b",
    ],
)
def test_unknown_addresses(client: ApiClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json == problem("E_NOT_FOUND", "There is no such address.")
    assert answer.mimetype == "application/problem+json"
    assert "ETag" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/pairs", "/api/nothing", "/api/pairs?x=1"])
def test_protecting_headers_are_on_everything(client: ApiClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_bug_in_us_shows_an_id_and_nothing_from_inside(
    fresh: World, caplog: pytest.LogCaptureFixture
) -> None:
    fresh.apply()
    broken = IndexerStatus(fresh.time, "following", fresh.block, None, None, "secret text, not JSON")
    write_status(fresh.engine, broken)
    answer = fresh.client().get("/api/health")
    assert (answer.status_code, answer.json["code"], answer.json["ok"]) == (500, "E_INTERNAL", False)
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json["id"] == answer.headers["X-Request-Id"]
    assert f"Internal error {answer.json['id']}" in caplog.text
    assert "Traceback" in caplog.text
    [record] = [record for record in caplog.records if record.name == "peakedex.api"]
    assert vars(record)["request"] == answer.json["id"]


# ---------------------------------------------------------------- other sites' pages


def allowed(client: ApiClient, origin: str) -> str | None:
    return client.get("/api/pairs", headers={"Origin": origin}).headers.get("Access-Control-Allow-Origin")


def test_other_sites_are_refused_unless_they_are_named(world: World) -> None:
    assert allowed(world.client(), "https://site.example") is None
    client = world.client(cors_origins=("https://site.example", "http://localhost:8000"))
    assert allowed(client, "https://site.example") == "https://site.example"
    assert allowed(client, "http://localhost:8000") == "http://localhost:8000"
    for other in (
        "https://evil.example",
        "https://site.example.evil.example",
        "https://siteXexample",
        "http://site.example",
        "https://site.example:444",
        "http://localhost:8001",
        "null",
    ):
        assert allowed(client, other) is None


def test_other_sites_get_no_credentials_and_see_the_etag(world: World) -> None:
    client = world.client(cors_origins=("https://site.example",))
    headers = client.get("/api/pairs", headers={"Origin": "https://site.example"}).headers
    assert "Access-Control-Allow-Credentials" not in headers
    for name in ("ETag", "Retry-After", "Warning", "X-Request-Id", "X-Next-From"):
        assert name in headers["Access-Control-Expose-Headers"]
    assert "Origin" in headers["Vary"]
    asked = client.options(
        "/api/pairs",
        headers={
            "Origin": "https://site.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "if-none-match",
        },
    )
    assert asked.headers["Access-Control-Allow-Origin"] == "https://site.example"
    assert "POST" not in asked.headers["Access-Control-Allow-Methods"]


def test_errors_can_be_read_by_other_sites_too(world: World) -> None:
    client = world.client(cors_origins=("https://site.example",))
    for path in ("/api/nothing", "/api/pairs?x=1", "/api/orders/unknown"):
        answer = client.get(path, headers={"Origin": "https://site.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://site.example"


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*.example", "https://a.example/", "a.example", "ftp://a", "", "https://.*", "null"],
)
def test_an_origin_that_is_none_is_refused_at_start(origin: str) -> None:
    with pytest.raises(SettingsError, match="cors_origins"):
        ApiSettings(database_url="sqlite:///x.db", cors_origins=(origin,))


# ---------------------------------------------------------------- the site


@pytest.fixture(scope="module")
def site(world: World) -> ApiClient:
    return ApiClient(create_app(world.settings(frontend=default_frontend())))


HTML_PAGES = sorted(path.name for path in (default_frontend() or Path()).glob("*.html"))


def test_the_page_is_served_with_its_policy(site: ApiClient) -> None:
    page = site.get("/")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<title>Markets" in page.text
    for name, kind in (("config.js", "text/javascript"), ("css/site.css", "text/css")):
        file = site.get(f"/{name}")
        assert (file.status_code, file.mimetype) == (200, kind)
        assert site.get(f"/{name}", headers={"If-None-Match": file.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("name", HTML_PAGES)
def test_a_page_of_the_site_works_under_its_policy(site: ApiClient, name: str) -> None:
    """No inline code or style, nothing from elsewhere, and every file that it names is there."""
    page = Page(site.get(f"/{name}").text)
    assert page.inline() == []
    for address in page.loads():
        assert "//" not in address
        assert site.get(f"/{address.removeprefix('/')}").status_code == 200, address


def test_no_script_of_the_site_writes_html(site: ApiClient) -> None:
    folder = default_frontend()
    assert folder is not None
    for script in (folder / "js").rglob("*.js"):
        assert "innerHTML" not in script.read_text("utf-8"), script.name


@pytest.mark.parametrize("path", ["/", "/trade.html", "/css/site.css", "/js/data/api.js", "/icon.svg"])
def test_a_text_of_the_site_is_compressed_for_clients_that_accept_it(site: ApiClient, path: str) -> None:
    plain, packed = site.get(path), site.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) == int(packed.headers["Content-Length"]) < len(plain.data)
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert (site.get(path, headers=again).status_code, site.get(path, headers=again).data) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/..%2fpyproject.toml", "/%2e%2e/x", "//etc/passwd", "/.", "/a%00b"]
)
def test_nothing_outside_the_folder(site: ApiClient, path: str) -> None:
    assert site.get(path).status_code == 404


def test_without_a_site_there_is_nothing_at_the_root(client: ApiClient) -> None:
    assert client.get("/").status_code == 404


def test_a_folder_without_a_page_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"frontend: .* holds no index\.html"):
        ApiSettings(database_url="sqlite:///x.db", frontend=tmp_path)
