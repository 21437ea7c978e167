"""Venue file: validation errors name field, reason and cure; the hash covers consensus fields only (section 2)."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from settlement.core.parsing.names import NATIVE_COINS
from settlement.core.venue import Venue, VenueError, decimals_fit, parse_venue, possible_token

GOOD = """\
[venue]
name = "Test DEX"
protocol = 1
contract = "peakedex"
custom_json_id = "ssc-mainnet-hive"
start_block = 101000000
operator = "peakecoin"
fee_account = "peakecoin.fees"
max_open_orders = 200
order_lifetime = 2592000
accept_flat_intents = true

[tokens."PEK"]
precision = 8
chain = "hive-engine"
escrow = "peakedex.pek"

[tokens."SWAP.HIVE"]
precision = 8
chain = "hive-engine"
escrow = "peakedex.hive"
key_env = "PEK_SWAP_HIVE_KEY"

[tokens."HBD"]
precision = 3
chain = "hive"
escrow = "peakedex.hive"

[[pairs]]
base = "PEK"
quote = "SWAP.HIVE"
price_decimals = 6
quantity_decimals = 2
maker_fee_bps = 0
taker_fee_bps = 20
price_policy = "maker"
self_trade = "cancel_resting"
status = "active"

[[pairs]]
base = "PEK"
quote = "HBD"
price_decimals = 5
quantity_decimals = -2
"""


def edited(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_a_valid_file() -> None:
    venue = parse_venue(GOOD)
    assert (venue.name, venue.start_block, venue.operator) == ("Test DEX", 101_000_000, "peakecoin")
    assert [(t.symbol, t.precision, t.chain, t.escrow, t.key_env) for t in venue.tokens] == [
        ("PEK", 8, "hive-engine", "peakedex.pek", None),
        ("SWAP.HIVE", 8, "hive-engine", "peakedex.hive", "PEK_SWAP_HIVE_KEY"),
        ("HBD", 3, "hive", "peakedex.hive", None),
    ]
    first, second = venue.pairs
    assert (first.price_decimals, first.quantity_decimals, first.taker_fee_bps) == (6, 2, 20)
    assert (second.quote, second.quantity_decimals, second.maker_fee_bps, second.taker_fee_bps) == (
        "HBD",
        -2,
        0,
        0,
    )
    assert (second.price_policy, second.self_trade, second.status) == ("maker", "cancel_resting", "active")
    assert venue.text == GOOD


# (what to replace, with what, the field that the message names, what it says)
REFUSED = [
    ('name = "Test DEX"', 'name = ""', "venue.name", "at most 100"),
    ('name = "Test DEX"', 'name = "a\\u0000b"', "venue.name", "printable"),
    ("protocol = 1", "protocol = 2", "venue.protocol", "write 1, or upgrade"),
    ("protocol = 1\n", "", "venue.protocol", "missing; add it"),
    ('contract = "peakedex"', 'contract = "peake dex"', "venue.contract", "A-Z a-z 0-9"),
    ('contract = "peakedex"', 'contract = ""', "venue.contract", "1 to"),
    ('custom_json_id = "ssc-mainnet-hive"', f'custom_json_id = "{"x" * 33}"', "venue.custom_json_id", "32"),
    ("start_block = 101000000", "start_block = 0", "venue.start_block", "from 1 to"),
    ("start_block = 101000000", "start_block = 4294967296", "venue.start_block", "to 4294967295"),
    ("start_block = 101000000", "start_block = 1.5", "venue.start_block", "whole number"),
    ("start_block = 101000000", "start_block = true", "venue.start_block", "whole number"),
    ('operator = "peakecoin"\n', "", "venue.operator", "missing; add it"),
    ('operator = "peakecoin"', 'operator = "Peake"', "venue.operator", "a Hive account name"),
    ('fee_account = "peakecoin.fees"', 'fee_account = "x"', "venue.fee_account", "a Hive account name"),
    ("max_open_orders = 200", "max_open_orders = 0", "venue.max_open_orders", "from 1 to 10000"),
    ("max_open_orders = 200", "max_open_orders = 10001", "venue.max_open_orders", "from 1 to 10000"),
    ("order_lifetime = 2592000", "order_lifetime = 0", "venue.order_lifetime", "from 1 to"),
    (
        "accept_flat_intents = true",
        "accept_flat_intents = 1",
        "venue.accept_flat_intents",
        "neither true nor false",
    ),
    (
        "accept_flat_intents = true",
        "accept_flat = true",
        "venue.accept_flat",
        "remove it or correct its name",
    ),
    ("precision = 8", "precision = 9", 'tokens."PEK".precision', "from 0 to 8"),
    ("precision = 8", "precision = -1", 'tokens."PEK".precision', "from 0 to 8"),
    ("precision = 8\n", "", 'tokens."PEK".precision', "missing; add it"),
    ("precision = 8", "precision = 8\nicon = 1", 'tokens."PEK".icon', "remove it or correct its name"),
    ('chain = "hive-engine"', 'chain = "eth"', 'tokens."PEK".chain', "hive, hive-engine"),
    (
        'chain = "hive-engine"',
        'chain = "hive"',
        'tokens."PEK".chain',
        'all other tokens on "hive-engine"',
    ),
    (
        'precision = 3\nchain = "hive"',
        'precision = 8\nchain = "hive"',
        'tokens."HBD".precision',
        "(precision 3)",
    ),
    ('chain = "hive"\n', 'chain = "hive-engine"\n', 'tokens."HBD".chain', "HIVE and HBD"),
    ('escrow = "peakedex.pek"', 'escrow = "@peakedex"', 'tokens."PEK".escrow', "a Hive account name"),
    ('key_env = "PEK_SWAP_HIVE_KEY"', 'key_env = "A B"', 'tokens."SWAP.HIVE".key_env', "name of a variable"),
    ('[tokens."PEK"]', '[tokens."pek"]', 'tokens."pek"', "capital letters"),
    ('base = "PEK"', 'base = "BEE"', "pairs[0].base", 'add a [tokens."BEE"] table'),
    ('base = "PEK"', "base = 5", "pairs[0].base", "a listed symbol"),
    ('quote = "SWAP.HIVE"', 'quote = ["PEK"]', "pairs[0].quote", "a listed symbol"),
    ('operator = "peakecoin"', 'operator = ["peakecoin"]', "venue.operator", "a Hive account name"),
    (
        'price_policy = "maker"',
        'price_policy = ["maker"]',
        "pairs[0].price_policy",
        "maker, ask, bid, midpoint",
    ),
    ('quote = "SWAP.HIVE"', 'quote = "BEE"', "pairs[0].quote", 'add a [tokens."BEE"] table'),
    ('base = "PEK"\nquote = "SWAP.HIVE"', 'base = "PEK"\nquote = "PEK"', "pairs[0].quote", "must differ"),
    ('quote = "HBD"', 'quote = "SWAP.HIVE"', "pairs[1]", "listed twice; remove one"),
    ("price_decimals = 6", "price_decimals = 7", "pairs[0].price_decimals", "lower one of them"),
    ("price_decimals = 6", "price_decimals = 19", "pairs[0].price_decimals", "from 0 to 18"),
    ("price_decimals = 6", "price_decimals = -1", "pairs[0].price_decimals", "from 0 to 18"),
    ("quantity_decimals = -2", "quantity_decimals = -13", "pairs[1].quantity_decimals", "from -12 to"),
    ("maker_fee_bps = 0", "maker_fee_bps = 1001", "pairs[0].maker_fee_bps", "from 0 to 1000"),
    ("taker_fee_bps = 20", "taker_fee_bps = -1", "pairs[0].taker_fee_bps", "from 0 to 1000"),
    ('price_policy = "maker"', 'price_policy = "last"', "pairs[0].price_policy", "maker, ask, bid, midpoint"),
    ('self_trade = "cancel_resting"', 'self_trade = "yes"', "pairs[0].self_trade", "cancel_incoming"),
    ('status = "active"', 'status = "open"', "pairs[0].status", "active, paused, closed"),
    ('status = "active"', 'state = "active"', "pairs[0].state", "remove it or correct its name"),
    ("[venue]", "[[venue]]", "venue", "must be a table"),
    ("[venue]", "[extra]\n[venue]", "extra", "remove it or correct its name"),
    ('operator = "peakecoin"', 'operator = "peakecoin', "file", "not valid TOML"),
    ('operator = "peakecoin"', 'operator = "peakecoin"\noperator = "alice"', "file", "not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "field", "reason"), REFUSED)
def test_an_invalid_file_is_rejected_with_field_reason_and_cure(
    old: str, new: str, field: str, reason: str
) -> None:
    with pytest.raises(VenueError) as refused:
        parse_venue(edited(old, new))
    assert refused.value.field == field
    assert reason in refused.value.reason
    assert str(refused.value) == f"{field}: {refused.value.reason}"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "venue"),
        ("venue = 1", "venue"),
        (f"pairs = 1\n{GOOD.split('[[pairs]]', maxsplit=1)[0]}", "pairs"),
    ],
)
def test_a_file_without_its_tables_is_rejected(text: str, field: str) -> None:
    with pytest.raises(VenueError) as refused:
        parse_venue(text)
    assert refused.value.field == field


# ---------------------------------------------------------------- the hash


def swapped_tables() -> str:
    head, *pairs = GOOD.split("[[pairs]]")
    start, *tokens = head.split("[tokens")
    return (
        start
        + "".join(f"[tokens{t}" for t in reversed(tokens))
        + "".join(f"[[pairs]]{p}" for p in reversed(pairs))
    )


@pytest.mark.parametrize(
    "text",
    [
        swapped_tables(),
        "# a comment\n" + GOOD.replace(" = ", "   =   "),
        edited('name = "Test DEX"', 'name = "Another name"'),
        edited('name = "Test DEX"\n', ""),
        edited('key_env = "PEK_SWAP_HIVE_KEY"\n', ""),
        edited('key_env = "PEK_SWAP_HIVE_KEY"', 'key_env = "OTHER"'),
        edited("max_open_orders = 200\norder_lifetime = 2592000\n", ""),  # the defaults, said or not
        edited("maker_fee_bps = 0\n", ""),
    ],
    ids=["order", "comments", "name", "no-name", "no-key", "key", "defaults", "pair-default"],
)
def test_other_fields_do_not_change_the_hash(text: str) -> None:
    assert text != GOOD
    assert parse_venue(text).hash == parse_venue(GOOD).hash


CONSENSUS = [
    ('contract = "peakedex"', 'contract = "peakedex2"'),
    ('custom_json_id = "ssc-mainnet-hive"', 'custom_json_id = "ssc-testnet-hive"'),
    ("start_block = 101000000", "start_block = 101000001"),
    ('operator = "peakecoin"', 'operator = "peakecoin2"'),
    ('fee_account = "peakecoin.fees"', 'fee_account = "peakecoin.fee2"'),
    ("max_open_orders = 200", "max_open_orders = 201"),
    ("order_lifetime = 2592000", "order_lifetime = 2592001"),
    ("accept_flat_intents = true", "accept_flat_intents = false"),
    ('[tokens."HBD"]', '[tokens."HIVE"]'),
    ("precision = 8", "precision = 7"),
    ('escrow = "peakedex.pek"', 'escrow = "peakedex.pok"'),
    ("price_decimals = 6", "price_decimals = 5"),
    ("quantity_decimals = 2", "quantity_decimals = 1"),
    ("maker_fee_bps = 0", "maker_fee_bps = 1"),
    ("taker_fee_bps = 20", "taker_fee_bps = 21"),
    ('price_policy = "maker"', 'price_policy = "ask"'),
    ('self_trade = "cancel_resting"', 'self_trade = "allow"'),
    ('status = "active"', 'status = "paused"'),
]


def test_each_consensus_field_changes_the_hash() -> None:
    texts = [
        GOOD,
        *(
            edited(old, new).replace('"HBD"', '"HIVE"' if "HIVE" in new else '"HBD"')
            for old, new in CONSENSUS
        ),
    ]
    hashes = [parse_venue(text).hash for text in texts]
    assert len(set(hashes)) == len(hashes)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in hashes)


def test_every_field_is_in_one_list_or_the_other() -> None:
    """A new field of the file must be listed here as consensus or not."""
    keys = set(re.findall(r"^(\w+) =", GOOD, re.MULTILINE))
    tested = {re.match(r"\w+", old).group() for old, _ in CONSENSUS if "=" in old}  # type: ignore[union-attr]
    assert keys - tested == {"name", "key_env", "protocol", "chain", "base", "quote"}


def test_the_hash_is_that_of_the_canonical_text() -> None:
    venue = parse_venue(GOOD)
    assert venue.canonical().splitlines()[0] == "peakedex-venue 1"
    assert "pair PEK/HBD 5 -2 0 0 maker cancel_resting active" in venue.canonical().splitlines()
    assert venue.hash == sha256(venue.canonical().encode()).hexdigest()
    # Frozen: another hash for the same file is another venue, and no replica would agree with the past.
    assert venue.hash == "02abd88643df8f0445f6a1453738897707869815e8be3bcac230839b2e6c6bda"


def test_the_example_venues_are_valid() -> None:
    files = list((Path(__file__).parents[3] / "venues").glob("*.toml"))
    assert files
    for file in files:
        venue = parse_venue(file.read_text())
        assert isinstance(venue, Venue)
        assert venue.pairs


# ---------------------------------------------------------------- the two rules behind it


@pytest.mark.parametrize(
    ("symbol", "precision", "chain", "possible"),
    [
        ("HIVE", 3, "hive", True),
        ("HBD", 3, "hive", True),
        ("HIVE", 8, "hive", False),
        ("PEK", 3, "hive", False),
        ("PEK", 0, "hive-engine", True),
        *((coin, 3, "hive-engine", False) for coin in NATIVE_COINS),
    ],
)
def test_which_token_can_be_on_which_chain(symbol: str, precision: int, chain: str, possible: bool) -> None:
    assert possible_token(symbol, precision, chain) is possible


@pytest.mark.parametrize(
    ("price", "quantity", "base", "quote", "fit"),
    [
        (6, 2, 8, 8, True),
        (6, 3, 8, 8, False),
        (11, -3, 8, 8, True),
        (12, -3, 8, 8, False),
        (0, 3, 3, 8, True),
        (0, 4, 3, 8, False),
    ],
)
def test_decimals_that_need_no_rounding(price: int, quantity: int, base: int, quote: int, fit: bool) -> None:
    assert decimals_fit(price, quantity, base, quote) is fit


@pytest.mark.parametrize("text", ["[venue]\nstart_block = " + "9" * 5000, "a = " + "[" * 100_000])
def test_errors_of_the_toml_parser_are_venue_errors(text: str) -> None:
    with pytest.raises(VenueError, match="file: is not valid TOML"):
        parse_venue(text)
