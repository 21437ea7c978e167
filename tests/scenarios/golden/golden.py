"""Generating, reading and writing golden journals."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from indexer.chain.blocks import Block
from indexer.chain.decode import decode
from indexer.chain.receipts import Receipts
from indexer.devnet.generator.generate import Generator
from settlement.core.journal.state_text import state_hash
from settlement.core.state_machine import StateMachine
from tests.system.store.chains import demo

FOLDER: Final = Path(__file__).parent
SEEDS: Final = (1, 2)
BLOCKS: Final = 400
OPS: Final = 25
EVERY: Final = 50
TEXT_BLOCKS: Final = 40
CURE: Final = (
    "regenerate only for an intended change of the rules: `python -m tests.scenarios.golden --write`"
)

Golden = dict[str, Any]


def make(seed: int) -> tuple[Golden, str]:
    """Generate the chain of a seed and apply it: hashes, and the journal text of the first blocks."""
    generator = Generator(seed, ops_per_block=OPS)
    machine = StateMachine(demo())
    chain = sha256()
    texts: list[str] = []
    chain_hashes: dict[str, str] = {}
    journal_hashes: dict[str, str] = {}
    for value, receipts_value in generator.stream(BLOCKS):
        line = msgspec.json.encode(value)
        receipts_line = None if receipts_value is None else msgspec.json.encode(receipts_value)
        chain.update(line + b"\n" + (receipts_line or b"") + b"\n")
        block = Block(line)
        receipts = None if receipts_line is None else Receipts(receipts_line)
        done = machine.apply(block.header, decode(block, machine.venue_filter, receipts))
        if block.number <= TEXT_BLOCKS:
            texts.append(done.text)
        if block.number % EVERY == 0:
            chain_hashes[str(block.number)] = chain.hexdigest()
            journal_hashes[str(block.number)] = done.hash
    golden = {
        "seed": seed,
        "blocks": BLOCKS,
        "ops_per_block": OPS,
        "venue_hash": demo().hash,
        "chain": chain_hashes,
        "journal": journal_hashes,
        "state": state_hash(machine.state),
    }
    return golden, "".join(texts)


def read(seed: int) -> tuple[Golden, str]:
    """The recorded golden journal of a seed."""
    text = gzip.decompress((FOLDER / f"{seed}.journal.gz").read_bytes()).decode()
    return json.loads((FOLDER / f"{seed}.json").read_text()), text


def write(seed: int) -> bool:
    """Regenerate the golden journal of a seed; whether it changed."""
    golden, text = make(seed)
    try:
        if read(seed) == (golden, text):
            return False
    except FileNotFoundError:
        pass
    (FOLDER / f"{seed}.json").write_text(json.dumps(golden, indent=2) + "\n")
    (FOLDER / f"{seed}.journal.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    return True
