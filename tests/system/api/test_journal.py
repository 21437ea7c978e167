"""/api/blocks and /api/journal: the hash chain and the text, recomputed as auditors do."""

from __future__ import annotations

from hashlib import sha256

import pytest

from api.database import Database
from api.routes.audit.journal import journal_text
from tests.support.api_client import ApiClient
from tests.system.api.past_world import (
    Journal,
    PastWorld,
)
from tests.system.api.world import START_BLOCK


def test_blocks_chain_from_the_venue_on(past_world: PastWorld, reader: ApiClient, journal: Journal) -> None:
    """Every block's hash follows from the one before and its lines, as auditors compute it."""
    hash_ = past_world.world.rules.state.venue_hash
    for number in range(START_BLOCK - 1, past_world.world.block + 1):
        body = reader.get(f"/api/blocks/{number}").json
        assert (body["block"], body["number"]) == (number, number)
        assert body["prev_journal_hash"] == hash_
        lines = body["lines"]
        assert lines == [" ".join(fields) for block, fields in journal.lines if block == number]
        if lines:
            text = "".join(f"{line}\n" for line in lines)
            hash_ = sha256(f"{hash_}\n{text}".encode()).hexdigest()
            assert lines[0] == f"block {number} {body['block_id']} {body['ts'][:-1]}"
        assert body["journal_hash"] == hash_
    assert hash_ == past_world.world.rules.state.journal_hash


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("chars", [1, 2_000, 4 << 20])
def test_the_journal_in_pieces_is_the_journal(
    past_world: PastWorld, reader: ApiClient, size: int, chars: int
) -> None:
    whole = reader.get("/api/journal").text
    database = Database(past_world.world.url)
    text, hash_, next_, pieces = "", past_world.world.rules.state.venue_hash, 0, 0
    with database.snapshot() as snapshot:
        while next_ <= past_world.world.block:
            piece = journal_text(snapshot, next_, past_world.world.block, size, chars)
            assert piece.headers["X-Prev-Journal-Hash"] == hash_
            hash_ = piece.headers["X-Journal-Hash"]
            assert int(piece.headers["X-Next-From"]) > next_
            next_ = int(piece.headers["X-Next-From"])
            text += piece.text
            pieces += 1
    database.close()
    assert text == whole
    assert hash_ == past_world.world.rules.state.journal_hash
    assert (pieces > 1) == (size < 10_000 or chars < 4 << 20)
    assert next_ == past_world.world.block + 1


def test_the_journal_between_two_blocks(past_world: PastWorld, reader: ApiClient, journal: Journal) -> None:
    answer = reader.get("/api/journal?from=1040&to=1060")
    expected = [" ".join(fields) for block, fields in journal.lines if 1040 <= block <= 1060]
    assert answer.text.splitlines() == expected
    assert answer.headers["X-Next-From"] == "1061"
    tip = past_world.world.block
    empty = reader.get(f"/api/journal?from={tip + 1}")
    assert (empty.status_code, empty.text, empty.headers["X-Next-From"]) == (200, "", str(tip + 1))
    assert empty.headers["X-Journal-Hash"] == past_world.world.rules.state.journal_hash
    for path, status, code in (
        (f"/api/journal?to={tip + 1}", 404, "E_BLOCK"),
        (f"/api/journal?from={tip + 2}", 400, "E_INPUT"),
        ("/api/journal?from=1060&to=1040", 400, "E_INPUT"),
    ):
        assert (reader.get(path).status_code, reader.get(path).json["code"]) == (status, code)
