"""The prefilter changes the time of decoding, never its result."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stringzilla import find

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode, has_candidate
from indexer.chain.prefilter import Prefilter, read_block
from indexer.chain.receipts import Receipts
from settlement.core.events import Action, Event, VenueFilter
from tests.support import blocks as chain
from tests.support.blocks import CONTRACT, ESCROW, action, block, custom_json, moved, transfer, watch
from tests.support.examples import examples

NAMES = st.sampled_from(["alice", "bob", ESCROW, CONTRACT, "peakede", "x" + ESCROW, r"\u0070eakedex.hive"])
SPACE = st.sampled_from(["", " ", "\t", "\n  "])
FLAT = {"base": "PEK", "quote": "SWAP.HIVE", "side": "buy", "price": "0.1", "amount": "5"}


def respelled(text: str, luck: random.Random, share: float) -> str:
    """JSON text with some characters of its strings written as escapes, where JSON allows it."""
    out: list[str] = []
    is_inside = False
    index = 0
    while index < len(text):
        character = text[index]
        if is_inside and character == "\\":
            escape = text[index : index + (6 if text[index + 1] == "u" else 2)]
            has_longer = escape[1] in '"\\/' and luck.random() < share
            out.append(f"\\u{ord(escape[1]):04x}" if has_longer else escape)
            index += len(escape)
            continue
        if character == '"':
            is_inside = not is_inside
        elif is_inside and character.isascii() and luck.random() < share:
            character = luck.choice([f"\\u{ord(character):04x}", f"\\u{ord(character):04X}"])
        out.append(character)
        index += 1
    return "".join(out)


@st.composite
def contents(draw: st.DrawFn) -> str:
    """The JSON text of a custom_json: for the venue, for the sidechain, flat or irrelevant, with odd spacing and escapes."""
    name = draw(NAMES)
    elements = draw(
        st.lists(
            st.sampled_from(
                [
                    action("buy", {"symbol": name, "price": 1.5}),
                    action("transfer", {"to": name, "memo": "m"}, "tokens"),
                    FLAT,
                    {**FLAT, "side": name},
                    {"contractName": name},
                    {"note": 'side" peakedex é \\u0070', "\\": "\\u00"},
                    None,
                ]
            ),
            max_size=3,
        )
    )
    value = elements[0] if len(elements) == 1 and draw(st.booleans()) else elements
    separators = (draw(SPACE) + "," + draw(SPACE), draw(SPACE) + ":" + draw(SPACE))
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), separators=separators)
    luck = random.Random(draw(st.integers(0, 2**32)))
    return respelled(text, luck, draw(st.sampled_from([0.0, 0.0, 0.05, 1.0])))


@st.composite
def operations(draw: st.DrawFn) -> chain.Operation:
    if draw(st.booleans()):
        identity = draw(st.sampled_from([chain.SIDECHAIN_ID, chain.SIDECHAIN_ID, "other"]))
        return custom_json(draw(contents()), draw(NAMES), active=draw(st.booleans()), id=identity)
    memo = draw(st.sampled_from(["", "hi", f'{{"id":"{chain.SIDECHAIN_ID}","json":{{"to":"{ESCROW}"}}}}']))
    memo = memo.replace(
        *draw(st.sampled_from([("", ""), ("p", r"\u0070"), ("-", r"\u002D"), ("s", r"\\u0073")]))
    )
    return transfer(draw(NAMES), draw(NAMES), "1.000 HIVE", memo)


@st.composite
def nasty_blocks(draw: st.DrawFn) -> bytes:
    value = chain.block_value(
        5,
        draw(st.lists(st.lists(operations(), min_size=1, max_size=3), max_size=3)),
        shape=draw(st.sampled_from(["block_api", "condenser"])),
    )
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, None, 1])))
    luck = random.Random(draw(st.integers(0, 2**32)))
    return respelled(text, luck, draw(st.sampled_from([0.0, 0.0, 0.02, 0.5]))).encode()


def all_receipts(transactions: list[Any]) -> Receipts:
    """Receipts that move something for every element there could be."""
    logs = {}
    for transaction in transactions:
        ids = [transaction.id, *(f"{transaction.id}-{index}" for index in range(3))]
        ids += [f"{item}-{index}" for item in ids[1:] for index in range(3)] + [
            f"{ids[0]}-{index}" for index in range(3)
        ]
        logs.update({item: [moved("alice", ESCROW, "1"), moved("alice", "bob", "2")] for item in ids})
    return Receipts(chain.receipts(5, logs))


def run(text: bytes, looking: VenueFilter, *, prefilter: bool) -> tuple[list[Event], bool]:
    """The events, and whether the block waits for receipts."""
    read = read_block(text, Prefilter(looking)) if prefilter else Block(text)
    waits = has_candidate(read, looking, prefilter=prefilter)
    receipts = all_receipts(Block(text).transactions)
    return list(decode(read, looking, receipts, prefilter=prefilter)), waits


@examples(200)
@given(nasty_blocks(), st.booleans(), st.sampled_from([CONTRACT, "market", "", 'a"b', "é"]))
def test_the_events_are_the_same_as_without_the_search(text: bytes, flat: bool, contract: str) -> None:
    options: dict[str, Any] = {"accept_flat_intents": flat, "contract": contract}
    with_search = run(text, watch(**options), prefilter=True)
    assert with_search == run(text, watch(**options), prefilter=False)
    found, waits = with_search
    has_tokens = any(not isinstance(event, Action) and event.chain == "hive-engine" for event in found)
    assert waits or not has_tokens, "a block that moves tokens must have waited for receipts"


@pytest.mark.parametrize(
    "operation",
    [
        custom_json(action("buy", {"symbol": "PEK"}, contract="market")),
        custom_json('{"b\\u00fccher":"\\u2026\\u001f"}', id="podping"),
        transfer("alice", "bob", "1.000 HIVE", "\u00e9\x1f"),
        ("comment", {"body": "which side? peaked"}),
    ],
)
def test_a_block_with_nothing_of_ours_is_not_parsed(operation: chain.Operation) -> None:
    """Escapes of characters that no name has do not count. The block's transactions are broken, and nothing notices."""
    text = without_ids(chain.block_value(5, [[operation]]))
    with pytest.raises(BlockError):
        list(decode(Block(text), watch(), prefilter=False))
    assert list(decode(read_block(text, Prefilter(watch())), watch())) == []


def without_ids(value: dict[str, Any]) -> bytes:
    """A block whose header is right, and whose transactions are refused as soon as they are read."""
    return chain.as_text({**value, "transaction_ids": []}, ascii_only=True)


def test_operations_are_read_once_for_a_venue() -> None:
    """The search for candidates and the decoding share their result."""
    ours = [custom_json(action("buy")), custom_json(action("sell"))]
    text = block(5, *([each] for each in ours), [transfer("a", "b", "1.000 HIVE")])
    looking = watch()
    read = read_block(text, Prefilter(looking))
    assert not has_candidate(read, looking)
    first = read.relevant
    assert first is not None
    assert len(list(decode(read, looking))) == 2
    assert read.relevant is first
    other = watch(contract="market")
    assert list(decode(read, other)) == []


@pytest.mark.parametrize("last_applied", [5, 6])
def test_of_a_block_applied_before_only_the_header_is_read(last_applied: int) -> None:
    text = without_ids(chain.block_value(5, [[custom_json(action("buy"))]]))
    assert read_block(text, Prefilter(watch()), last_applied).number == 5
    with pytest.raises(BlockError):
        read_block(text, Prefilter(watch()), 4)


def test_names_found_with_a_shorter_one_are_not_searched_for() -> None:
    looking = watch(escrows={ESCROW, "peakedex.btc", "other", "another"})
    assert Prefilter(looking).needles == (b"other", b"peakedex", b'\\"side\\"')
    assert Prefilter(watch(accept_flat_intents=False)).needles == (b"peakedex",)


def test_a_name_that_escapes_could_spell_in_other_ways_turns_the_search_off() -> None:
    assert Prefilter(watch(contract="a/b")).needles is None


def test_an_uninteresting_block_is_walked_all_the_same() -> None:
    good = block(5, [("vote", {"voter": "alice"})])
    for bad in (good.replace(b'"alice"', b'"alice'), good.replace(b"alice", b"al\x01ce"), good[:-20]):
        with pytest.raises(BlockError):
            read_block(bad, Prefilter(watch()))


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=3))
def test_the_search_is_that_of_bytes(text: bytes, needle: bytes) -> None:
    assert find(text, needle) == text.find(needle)
