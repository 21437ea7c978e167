"""/api/checkpoints: comparison of hashes, and unknown results for blocks that are not recorded yet."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import insert, select

from api.app import create_app
from api.settings import ApiSettings
from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from tests.system.store.chains import read_on
from tests.system.store.short_chain import short_chain, venue


def test_claims_are_held_against_the_journal(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/claims.db"
    database = open_writer(url)
    rules, projector = load_or_initialise(database, venue())
    read_on(rules, projector, short_chain().write(tmp_path / "chain"), batch_blocks=2)
    with database.begin() as connection:
        blocks = connection.execute(select(schema.blocks.c.number, schema.blocks.c.journal_hash)).all()
        hashes = {row.number: row.journal_hash for row in blocks}
        start = connection.execute(select(schema.cursor.c.venue_hash)).scalar_one()
        last, state = max(hashes), "0" * 64
        claims = [
            (4, hashes[3]),
            (0, start),
            (last, hashes[last]),
            (last, hashes[3]),
            (last + 99, hashes[last]),
        ]
        connection.execute(
            insert(schema.checkpoints),
            [
                {
                    "n": n,
                    "id": f"c{n}",
                    "block": 5,
                    "claimed_block": of,
                    "state_hash": state,
                    "journal_hash": hash_,
                }
                for n, (of, hash_) in enumerate(claims, 2)
            ],
        )
    body = create_app(ApiSettings(database_url=url)).test_client().get("/api/checkpoints").json
    assert body is not None
    shown = [(row["claimed_block"], row["agrees"]) for row in body["checkpoints"]]
    # Block 4 did nothing, so block 3's hash is in force after it; the chain's own claim of block 3 is false.
    assert shown == [(last + 99, None), (last, False), (last, True), (0, True), (4, True), (3, False)]
    assert body["checkpoints"][-1]["journal_hash"] == "f" * 64
    assert body["checkpoints"][-1]["block"] == 5
