"""Answers travel compressed for those who ask, are the same inside, and are compressed once."""

from __future__ import annotations

import gzip

import brotli
import flask_compress.flask_compress as library
import pytest
import zstandard
from flask import Response
from flask.testing import FlaskClient

from api.settings import default_frontend
from tests.system.api.world import World

BIG = "/api/openapi.json"
OPENERS = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def get(client: FlaskClient, path: str, accepted: str, **headers: str):
    return client.get(path, headers={"Accept-Encoding": accepted, **headers})


@pytest.mark.parametrize("encoding", OPENERS)
@pytest.mark.parametrize("path", [BIG, "/api/docs", "/api/pairs", "/api/journal", "/metrics"])
def test_it_is_the_same_inside(world: World, path: str, encoding: str) -> None:
    client = world.client()
    get(client, path, "identity")  # /metrics counts it
    plain, packed = get(client, path, "identity"), get(client, path, encoding)
    assert packed.headers["Content-Encoding"] == encoding
    assert "Content-Encoding" not in plain.headers
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert len(packed.data) == int(packed.headers["Content-Length"]) < len(plain.data)
    if path != "/metrics":
        assert OPENERS[encoding](packed.data) == plain.data
        assert packed.headers["ETag"] == plain.headers["ETag"]


def test_a_held_answer_is_not_sent_again(client: FlaskClient) -> None:
    etag = get(client, BIG, "gzip").headers["ETag"]
    answer = get(client, BIG, "gzip", **{"If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")


def test_small_answers_and_errors_are_not_worth_it(client: FlaskClient) -> None:
    for path in ("/api/ready", "/api/nothing", "/api/pairs?x=1"):
        assert "Content-Encoding" not in get(client, path, "gzip, br, zstd").headers


def test_it_is_compressed_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    compress = library._compress_data

    def counted(app, data, algorithm):
        done.append(algorithm)
        return compress(app, data, algorithm)

    monkeypatch.setattr(library, "_compress_data", counted)
    client = world.client(frontend=default_frontend())
    for path in (BIG, "/api/pairs", "/site.css"):
        first = get(client, path, "gzip").data
        assert get(client, path, "gzip").data == first
    assert done == ["gzip"] * 3
    assert get(client, "/api/orders", "gzip").data != get(client, "/api/pairs", "gzip").data


def test_a_new_block_is_a_new_answer(fresh: World) -> None:
    client = fresh.client()
    fresh.apply(*[fresh.deposit("alice", "PEK", "5") for _ in range(20)])
    before = gzip.decompress(get(client, "/api/deposits?user=alice", "gzip").data)
    fresh.apply(fresh.deposit("alice", "PEK", "6"))
    after = gzip.decompress(get(client, "/api/deposits?user=alice", "gzip").data)
    assert b'"6.00000000"' in after
    assert before != after


def test_a_stream_is_never_compressed(world: World) -> None:
    """Its events would wait in the compressor, whatever the client accepts."""
    app = world.client().application
    app.add_url_rule("/test", "test", lambda: Response(iter([b"x" * 5000]), mimetype="text/event-stream"))
    answer = get(app.test_client(), "/test", "gzip, br, zstd")
    assert "Content-Encoding" not in answer.headers
    assert answer.data == b"x" * 5000
