"""Mutation tests: a damaged chain is either recorded completely, or reading stops with one of the indexer's errors.

The chains are made of the scenarios of tests/scenarios. Damage inside the text of a custom_json never stops reading.
Damage to the JSON of a block or receipt may stop it, but only with one of the indexer's own errors, and everything
recorded before can be loaded and passes all invariants.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from indexer.chain.blocks import BlockError
from indexer.chain.receipts import ReceiptError
from indexer.chain.strict_json import ChainJsonError, loads
from indexer.sources.source import SourceError
from settlement.core.journal.lines import KINDS
from settlement.core.state import InvariantError
from tests.property.hostile.conftest import Indexer
from tests.scenarios.chain import SHAPES, Block, block_texts, custom_json, receipt_texts, transaction_id
from tests.scenarios.scenario import HERE, START, Scenario, read_scenarios
from tests.support.blocks import Operation

OWN_ERRORS: Final = (SourceError, BlockError, ReceiptError)
CHAIN_SEEDS: Final = range(16)
LINE_SEEDS: Final = range(300)
ODD_BYTES: Final = b'\x00\x01\x1f "\\,:[]{}0129eE+-.\x7f\x80\xbf\xc0\xed\xf0\xff'
ODD_TEXTS: Final = (
    "null",
    "true",
    "-0",
    "1e999",
    "0." + "0" * 30,
    '""',
    '"\\ud800"',
    "[]",
    "{}",
    '"all"',
    '"dex.hive"',
)


def scenarios() -> list[Scenario]:
    paths: list[Path] = sorted(HERE.glob("*.txt"))
    cases = [case for path in paths for case in read_scenarios(path)]
    return sorted((c for c in cases if c.venue_name == "basic" and not c.settings), key=_is_final)


def _is_final(case: Scenario) -> bool:
    """Whether a scenario changes the venue or fills a token up to its limit, after which few orders trade."""
    text = str(case.blocks)
    return any(word in text for word in ("updatePair", "updateVenue", "listPair", "listToken", "9223372036"))


SCENARIOS: Final = scenarios()


def long_chain() -> list[Block]:
    """All scenarios of the basic venue, concatenated into one chain."""
    blocks: list[Block] = []
    count = 0
    for case in SCENARIOS:
        shift = count
        for source in case.blocks:
            block = Block(len(blocks) + 1, START + 60 * len(blocks))
            for one_id, operations in source.transactions:
                count += 1
                assert one_id == transaction_id(count - shift)
                block.transactions.append((transaction_id(count), [_shifted(o, shift) for o in operations]))
            if source.logs is not None:
                block.logs = {
                    _shift_ids(key, shift): _shift_ids(log, shift) for key, log in source.logs.items()
                }
            blocks.append(block)
        # In a block of its own: stops fire at the end of the scenario's last block.
        blocks.append(Block(len(blocks) + 1, START + 60 * len(blocks)))
        for name in ("alice", "bob", "carol", "ann", "cat", "dan"):
            count += 1
            text = '{"contractName":"peakedex","contractAction":"cancelAll","contractPayload":{}}'
            operation = custom_json(text, [name], [], "ssc-mainnet-hive")
            blocks[-1].transactions.append((transaction_id(count), [operation]))
    return blocks


def _shift_ids(text: str, shift: int) -> str:
    return re.sub(
        r"\b([0-9a-f]{8})\1{4}(?![0-9a-f])",
        lambda found: transaction_id(int(found.group(1), 16) + shift),
        text,
    )


def _shifted(operation: Operation, shift: int) -> Operation:
    name, value = operation
    return name, {key: _shift_ids(v, shift) if isinstance(v, str) else v for key, v in value.items()}


CHAIN: Final = long_chain()


# ------------------------------------------------------------ damage to the text of custom_jsons


def damaged_chain(random: Random) -> list[Block]:
    """The chain, with every third custom_json damaged."""
    return [
        Block(
            block.number,
            block.timestamp,
            [
                (one_id, [_damaged(random, o) for o in operations])
                for one_id, operations in block.transactions
            ],
            block.logs,
        )
        for block in CHAIN
    ]


def _damaged(random: Random, operation: Operation) -> Operation:
    name, value = operation
    if name != "custom_json" or random.random() > 0.34:
        return operation
    damage = random.choice((_flip_characters, _swap_values, _odd_value, _cut, _repeat))
    return name, {**value, "json": damage(random, value["json"])}


def _flip_characters(random: Random, text: str) -> str:
    letters = list(text)
    for _ in range(random.randint(1, 3)):
        if letters:
            letters[random.randrange(len(letters))] = random.choice('\x00"\\,:[]{}019eE+-. \ud800é１')
    return "".join(letters)


def _cut(random: Random, text: str) -> str:
    start = random.randrange(len(text) + 1)
    return text[:start] + text[start + random.randint(0, 20) :]


def _repeat(random: Random, text: str) -> str:
    start = random.randrange(len(text) + 1)
    piece = text[start : start + random.randint(1, 40)]
    return text[:start] + piece * random.randint(1, 5) + text[start:]


_VALUE: Final = re.compile(r'(?<=:)("(?:[^"\\]|\\.)*"|-?[0-9][^,}\]]*|true|false|null)')


def _swap_values(random: Random, text: str) -> str:
    """Swap two values; the text stays JSON."""
    found = list(_VALUE.finditer(text))
    if len(found) < 2:
        return text
    one, two = sorted(random.sample(found, 2), key=lambda match: match.start())
    return text[: one.start()] + two.group() + text[one.end() : two.start()] + one.group() + text[two.end() :]


def _odd_value(random: Random, text: str) -> str:
    found = list(_VALUE.finditer(text))
    if not found:
        return text
    one = random.choice(found)
    return text[: one.start()] + random.choice(ODD_TEXTS) + text[one.end() :]


def is_json(text: str) -> bool:
    try:
        loads(text)
    except ChainJsonError:
        return False
    return True


def lines_of(blocks: list[Block], shape: str) -> tuple[list[bytes], list[bytes]]:
    return block_texts(blocks, shape), receipt_texts(blocks)


def test_the_undamaged_chain_is_long_and_lively(indexer: Indexer) -> None:
    rules = indexer.follow(*lines_of(CHAIN, "block_api"))
    assert indexer.last_block() == len(CHAIN) > 200
    assert rules.state.last_trade > 50
    kinds = {line.split()[0] for line in indexer.lines()}
    assert kinds == KINDS.keys()


@pytest.mark.parametrize("seed", CHAIN_SEEDS)
def test_no_text_of_a_custom_json_stops_the_indexer(seed: int, indexer: Indexer) -> None:
    random = Random(seed)
    blocks = damaged_chain(random)
    texts = [
        o[1]["json"]
        for block in blocks
        for _, ops in block.transactions
        for o in ops
        if o[0] == "custom_json"
    ]
    assert 0.05 < sum(not is_json(text) for text in texts) / len(texts) < 0.5
    rules = indexer.follow(*lines_of(blocks, SHAPES[seed % 2]), batch_blocks=random.choice((1, 7, 1000)))
    assert indexer.last_block() == len(blocks)
    assert rules.state.journal_hash == indexer.loaded().state.journal_hash


# ------------------------------------------------------------ damage to the lines of an archive


def _damage_bytes(random: Random, line: bytes) -> bytes:
    text = bytearray(line)
    for _ in range(random.randint(1, 4)):
        where = random.randrange(len(text))
        match random.randrange(4):
            case 0:
                text[where] = random.choice(ODD_BYTES)
            case 1:
                text[where : where + random.randint(1, 9)] = b""
            case 2:
                text[where:where] = bytes(random.choice(ODD_BYTES) for _ in range(random.randint(1, 3)))
            case _:
                text[where] ^= 1 << random.randrange(8)
    return bytes(text)


def _damage_json(random: Random, line: bytes) -> bytes:
    """Replace or remove one value anywhere; the line stays JSON."""
    try:
        tree: Any = json.loads(line)
    except ValueError:
        return line
    holder: Any = tree
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return line
        key = random.choice(keys)
        inner = holder[key]
        if isinstance(inner, dict | list) and inner and random.random() < 0.85:
            holder = inner
            continue
        break
    match random.randrange(4):
        case 0:
            del holder[key]
        case 1:
            holder[key] = random.choice(
                (None, True, 5, -1, 1.5, "", "peakedex", [], {}, [None], {"a": 1}, "\ud800")
            )
        case 2 if isinstance(holder, list):
            holder.append(inner)
        case _:
            holder[key] = [inner]
    return json.dumps(tree, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_archive_is_read_or_stops_with_an_error_of_ours(part: int, indexer: Indexer) -> None:
    read = 0
    for seed in LINE_SEEDS[part::4]:
        random = Random(seed)
        case = random.choice(SCENARIOS)
        blocks, receipts = lines_of(case.blocks, random.choice(SHAPES))
        damage = random.choice((_damage_bytes, _damage_json))
        lines = receipts if receipts and random.random() < 0.4 else blocks
        where = random.randrange(len(lines))
        lines[where] = damage(random, lines[where]).replace(b"\n", b" ")
        try:
            indexer.follow(blocks, receipts, batch_blocks=1)
            read += 1
        except OWN_ERRORS:
            loaded = indexer.loaded()
            assert loaded.next_block() - 1 < case.blocks[-1].number
        except InvariantError as error:  # a transaction id twice, which only a lying node can say
            if "id twice" not in str(error):
                raise
            indexer.loaded()
    assert read > len(LINE_SEEDS) / 50
