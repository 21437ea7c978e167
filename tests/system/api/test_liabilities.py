"""/api/liabilities: the roots of proofs, at any block and at the end of a day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from settlement.core.liability_proof import Leaf, Tree, roots_of, roots_text
from tests.support.api_client import ApiClient, ApiResponse
from tests.system.api.past_world import NAMES, PRECISION, PastWorld, at, show


def test_roots_are_those_of_the_state_and_of_every_proof(
    past_world: PastWorld, reader: ApiClient, moments: list[int | None]
) -> None:
    for block in moments[:12]:
        state = past_world.state(block)
        body = reader.get(f"/api/liabilities?{at(block).lstrip('&?')}").json
        symbols = sorted({symbol for held in state.balances.values() for symbol in held})
        trees = [
            Tree(
                body["venue_hash"],
                symbol,
                [
                    Leaf(account, sum(held[symbol]))
                    for account, held in sorted(state.balances.items())
                    if symbol in held
                ],
            )
            for symbol in symbols
        ]
        roots = roots_of(body["venue_hash"], body["root_block"], body["root_block_id"], trees)
        assert body["text"] == roots_text(roots)
        assert [
            (row["symbol"], row["leaves"], row["units"], row["hash"], row["total"]) for row in body["tokens"]
        ] == [
            (symbol, leaves, str(root.total), root.hash, show(root.total, PRECISION[symbol]))
            for symbol, leaves, root in roots.tokens
        ]
        of = {row["symbol"]: row["hash"] for row in body["tokens"]}
        for name in NAMES[:2]:
            proof = reader.get(f"/api/proof?user={name}{at(block)}").json
            assert all(token["root"]["hash"] == of[token["symbol"]] for token in proof["tokens"])


def refusal(answer: ApiResponse, status: int, code: str = "E_INPUT") -> str:
    assert (answer.status_code, answer.json["code"]) == (status, code)
    sentence: str = answer.json["error"]
    return sentence


def test_the_end_of_a_day(past_world: PastWorld, reader: ApiClient) -> None:
    newest = date.fromisoformat(reader.get("/api/health").json["ts"][:10])
    first = reader.get(f"/api/liabilities?day={newest - timedelta(days=4000)}").json
    assert (first["root_block"], first["tokens"]) == (0, [])
    refused = refusal(reader.get(f"/api/liabilities?day={newest}"), 404, "E_BLOCK")
    assert "is not over on the chain" in refused


@pytest.mark.parametrize(
    "day", ["", "2026-1-1", "2026-02-30", "20260101", "2026-01-01T00:00:00", "٢٠٢٦-01-01", "9999-12-31"]
)
def test_what_is_no_day(reader: ApiClient, day: str) -> None:
    assert "day must be a day like" in refusal(reader.get("/api/liabilities", query_string={"day": day}), 400)


def test_a_block_and_a_day_exclude_each_other(reader: ApiClient) -> None:
    block = reader.get("/api/health").json["block"]
    assert "give either block or day" in refusal(
        reader.get(f"/api/liabilities?block={block}&day=2026-01-01"), 400
    )
