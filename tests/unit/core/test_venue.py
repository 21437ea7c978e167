"""Venue file: all mistakes at once, each with field, reason and cure; the hash covers consensus fields (section 2)."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

from settlement.core.events import BlockHeader
from settlement.core.state_machine import StateMachine
from settlement.core.venue import Venue, VenueError, decimals_fit, parse_venue

GOOD = """\
[venue]
name = "Test DEX"
protocol = 2
contract = "peake"
custom_json_id = "ssc-mainnet-hive"
start_block = 101000000
operator = "peakecoin"
checkpoint_account = "peakecoin.proof"
fee_account = "peakecoin.fees"
max_open_orders = 200
order_lifetime = 2592000
accept_flat_intents = true

[tokens."PEK"]
precision = 8
escrow = "peakedex.pek"
min_withdrawal = "1"

[tokens."SWAP.HIVE"]
precision = 8
escrow = "peakedex.hive"
min_withdrawal = "0.001"
key_env = "PEK_SWAP_HIVE_KEY"

[tokens."HBD"]
precision = 3
escrow = "peakedex.hive"
min_withdrawal = "0.100"

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
    assert venue.checkpoint_account == "peakecoin.proof"
    assert [
        (t.symbol, t.precision, t.chain, t.escrow, t.min_withdrawal, t.key_env) for t in venue.tokens
    ] == [
        ("PEK", 8, "hive-engine", "peakedex.pek", 10**8, None),
        ("SWAP.HIVE", 8, "hive-engine", "peakedex.hive", 10**5, "PEK_SWAP_HIVE_KEY"),
        ("HBD", 3, "hive", "peakedex.hive", 100, None),
    ]
    assert venue.escrows == {"peakedex.pek", "peakedex.hive"}
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
    ('name = "Test DEX"', 'name = ""', "venue.name", "1 to 100 printable"),
    ('name = "Test DEX"', 'name = "a\\u0000b"', "venue.name", "printable"),
    ('name = "Test DEX"\n', "", "venue.name", "missing; add it"),
    ("protocol = 2", "protocol = 1", "venue.protocol", "write 2"),
    ("protocol = 2", "protocol = 3", "venue.protocol", "write 2"),
    ("protocol = 2\n", "", "venue.protocol", "missing; add it"),
    ('contract = "peake"', 'contract = "peake dex"', "venue.contract", "one word of printable ASCII"),
    ('contract = "peake"', 'contract = "péake"', "venue.contract", "one word of printable ASCII"),
    ('contract = "peake"', 'contract = ""', "venue.contract", "one word of printable ASCII"),
    (
        'contract = "peake"',
        'contract = "my.peakedex.pek"',
        "venue.contract",
        "escrow account's name peakedex.pek",
    ),
    ('contract = "peake"\n', "", "venue.contract", "missing; add it"),
    ('custom_json_id = "ssc-mainnet-hive"', f'custom_json_id = "{"x" * 33}"', "venue.custom_json_id", "32"),
    ('custom_json_id = "ssc-mainnet-hive"\n', "", "venue.custom_json_id", "missing; add it"),
    ("start_block = 101000000", "start_block = -1", "venue.start_block", "from 0 to"),
    ("start_block = 101000000", "start_block = 4294967296", "venue.start_block", "to 4294967295"),
    ("start_block = 101000000", f"start_block = 0x{'f' * 5000}", "venue.start_block", "to 4294967295"),
    ("start_block = 101000000", "start_block = 1.5", "venue.start_block", "not an integer"),
    ("start_block = 101000000", "start_block = true", "venue.start_block", "not an integer"),
    ('operator = "peakecoin"\n', "", "venue.operator", "missing; add it"),
    ('operator = "peakecoin"', 'operator = "Peake"', "venue.operator", "a Hive account name"),
    ('operator = "peakecoin"', 'operator = ["peakecoin"]', "venue.operator", "a Hive account name"),
    ('"peakecoin.proof"', '""', "venue.checkpoint_account", "a Hive account name"),
    ('fee_account = "peakecoin.fees"', 'fee_account = "x"', "venue.fee_account", "a Hive account name"),
    ('"peakecoin.fees"', '"peakedex.pek"', "venue.fee_account", "is an escrow account"),
    ("max_open_orders = 200", "max_open_orders = 0", "venue.max_open_orders", "from 1 to 10000"),
    ("max_open_orders = 200", "max_open_orders = 10001", "venue.max_open_orders", "from 1 to 10000"),
    ("order_lifetime = 2592000", "order_lifetime = 59", "venue.order_lifetime", "from 60 to 31536000"),
    ("order_lifetime = 2592000", "order_lifetime = 31536001", "venue.order_lifetime", "from 60 to 31536000"),
    ("accept_flat_intents = true", "accept_flat_intents = 1", "venue.accept_flat_intents", "true or false"),
    (
        "accept_flat_intents = true",
        "accept_flat = true",
        "venue.accept_flat",
        "remove it or correct its name",
    ),
    ("precision = 8", "precision = 9", 'tokens."PEK".precision', "from 0 to 8"),
    ("precision = 8", "precision = -1", 'tokens."PEK".precision', "from 0 to 8"),
    ("precision = 8\n", "", 'tokens."PEK".precision', "missing; add it"),
    ("precision = 3", "precision = 4", 'tokens."HBD".precision', "HBD has precision 3"),
    ("precision = 8", 'precision = 8\nchain = "hive"', 'tokens."PEK".chain', "remove it or correct its name"),
    ('escrow = "peakedex.pek"', 'escrow = "@peakedex"', 'tokens."PEK".escrow', "a Hive account name"),
    ('escrow = "peakedex.pek"\n', "", 'tokens."PEK".escrow', "missing; add it"),
    ('min_withdrawal = "1"\n', "", 'tokens."PEK".min_withdrawal', "missing; add it"),
    ('min_withdrawal = "1"', "min_withdrawal = 1", 'tokens."PEK".min_withdrawal', "write text such as"),
    ('min_withdrawal = "1"', 'min_withdrawal = "0"', 'tokens."PEK".min_withdrawal', "above zero"),
    ('min_withdrawal = "1"', 'min_withdrawal = "1e-3"', 'tokens."PEK".min_withdrawal', "not an amount"),
    ('"0.100"', '"0.0001"', 'tokens."HBD".min_withdrawal', "at most 3 decimals"),
    ('"0.100"', '"9999999999999999999"', 'tokens."HBD".min_withdrawal', "not an amount"),
    ('key_env = "PEK_SWAP_HIVE_KEY"', 'key_env = "A B"', 'tokens."SWAP.HIVE".key_env', "name of a variable"),
    ('base = "PEK"', 'base = "BEE"', "pairs[0].base", 'add a [tokens."BEE"] table'),
    ('base = "PEK"', "base = 5", "pairs[0].base", "a listed symbol"),
    ('quote = "SWAP.HIVE"', 'quote = ["PEK"]', "pairs[0].quote", "a listed symbol"),
    ('quote = "SWAP.HIVE"', 'quote = "BEE"', "pairs[0].quote", 'add a [tokens."BEE"] table'),
    ('base = "PEK"\nquote = "SWAP.HIVE"', 'base = "PEK"\nquote = "PEK"', "pairs[0].quote", "must differ"),
    ('quote = "HBD"', 'quote = "SWAP.HIVE"', "pairs[1]", "listed twice; remove one"),
    ("price_decimals = 6", "price_decimals = 7", "pairs[0].price_decimals", "lower one of them"),
    ("price_decimals = 6", "price_decimals = 19", "pairs[0].price_decimals", "from 0 to 18"),
    ("price_decimals = 6", "price_decimals = -1", "pairs[0].price_decimals", "from 0 to 18"),
    ("price_decimals = 6\n", "", "pairs[0].price_decimals", "missing; add it"),
    ("quantity_decimals = -2", "quantity_decimals = -13", "pairs[1].quantity_decimals", "from -12 to"),
    ("maker_fee_bps = 0", "maker_fee_bps = 1001", "pairs[0].maker_fee_bps", "from 0 to 1000"),
    ("taker_fee_bps = 20", "taker_fee_bps = -1", "pairs[0].taker_fee_bps", "from 0 to 1000"),
    ('price_policy = "maker"', 'price_policy = "last"', "pairs[0].price_policy", "maker, ask, bid, midpoint"),
    (
        'price_policy = "maker"',
        'price_policy = ["maker"]',
        "pairs[0].price_policy",
        "maker, ask, bid, midpoint",
    ),
    ('self_trade = "cancel_resting"', 'self_trade = "yes"', "pairs[0].self_trade", "cancel_incoming"),
    ('status = "active"', 'status = "open"', "pairs[0].status", "active, paused, closed"),
    ('status = "active"', 'state = "active"', "pairs[0].state", "remove it or correct its name"),
    ("[venue]", "[extra]\n[venue]", "extra", "remove it or correct its name"),
    ('operator = "peakecoin"', 'operator = "peakecoin', "file", "not valid TOML"),
    ('operator = "peakecoin"', 'operator = "peakecoin"\noperator = "alice"', "file", "not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "field", "reason"), REFUSED)
def test_an_invalid_file_is_rejected_with_field_reason_and_cure(
    old: str, new: str, field: str, reason: str
) -> None:
    """One mistake in the file, one in the message."""
    with pytest.raises(VenueError) as refused:
        parse_venue(edited(old, new))
    [mistake] = refused.value.mistakes
    assert mistake.field == field
    assert reason in mistake.reason
    assert str(refused.value) == f"{field}: {mistake.reason}"


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(VenueError) as refused:
        parse_venue(text)
    return [mistake.field for mistake in refused.value.mistakes]


def test_all_mistakes_are_told_at_once() -> None:
    """Of a draft's file, too: it has another protocol, chains, and no minimum."""
    text = (
        GOOD.replace("protocol = 2", "protocol = 1")
        .replace('contract = "peake"', 'contract = "peakedex.hive2"')
        .replace('min_withdrawal = "1"', 'chain = "hive-engine"')
        .replace("max_open_orders = 200", "max_open_orders = many", 0)
        .replace('[tokens."HBD"]', '[tokens."hbd"]')
        .replace("taker_fee_bps = 20", "taker_fee_bps = 2000\nicon = 1")
    )
    assert sorted(mistakes_of(text)) == [
        "pairs[0].icon",
        "pairs[0].taker_fee_bps",
        "pairs[1].quote",
        'tokens."PEK".chain',
        'tokens."PEK".min_withdrawal',
        'tokens."hbd"',
        "venue.contract",
        "venue.protocol",
    ]


def test_a_misspelt_field_names_the_one_that_may_be_meant() -> None:
    with pytest.raises(VenueError) as refused:
        parse_venue(edited("max_open_orders = 200", "max_open_order = 200\nicon = 1"))
    found = {mistake.field: mistake.reason for mistake in refused.value.mistakes}
    assert found["venue.max_open_order"].endswith("correct its name: max_open_orders?")
    assert found["venue.icon"].endswith("correct its name")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "venue"),
        ("venue = 1", "venue"),
        (GOOD.replace("[venue]", "[[venue]]"), "venue"),
        (GOOD.split("[tokens", maxsplit=1)[0], "tokens"),
        (f"pairs = 1\n{GOOD.split('[[pairs]]', maxsplit=1)[0]}", "pairs"),
        (GOOD.replace('[tokens."HBD"]', '[tokens]\nHBD = 1\n[tokens."HIVE"]'), 'tokens."HBD"'),
        (f"tokens = 1\n{GOOD.split('[tokens', maxsplit=1)[0]}", "tokens"),
    ],
)
def test_a_file_without_its_tables_is_rejected(text: str, field: str) -> None:
    assert mistakes_of(text)[0] == field


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
        edited('key_env = "PEK_SWAP_HIVE_KEY"\n', ""),
        edited('key_env = "PEK_SWAP_HIVE_KEY"', 'key_env = "OTHER"'),
        edited("max_open_orders = 200\norder_lifetime = 2592000\n", ""),  # the defaults, said or not
        edited("maker_fee_bps = 0\n", ""),
    ],
    ids=["order", "comments", "name", "no-key", "key", "defaults", "pair-default"],
)
def test_other_fields_do_not_change_the_hash(text: str) -> None:
    assert text != GOOD
    assert parse_venue(text).hash == parse_venue(GOOD).hash


CONSENSUS = [
    ('contract = "peake"', 'contract = "peake2"'),
    ('custom_json_id = "ssc-mainnet-hive"', 'custom_json_id = "ssc-testnet-hive"'),
    ("start_block = 101000000", "start_block = 101000001"),
    ('operator = "peakecoin"', 'operator = "peakecoin2"'),
    ('checkpoint_account = "peakecoin.proof"', 'checkpoint_account = "peakecoin.pr2"'),
    ('fee_account = "peakecoin.fees"', 'fee_account = "peakecoin.fee2"'),
    ("max_open_orders = 200", "max_open_orders = 201"),
    ("order_lifetime = 2592000", "order_lifetime = 2592001"),
    ("accept_flat_intents = true", "accept_flat_intents = false"),
    ('[tokens."HBD"]', '[tokens."HIVE"]'),
    ("precision = 8", "precision = 7"),
    ('escrow = "peakedex.pek"', 'escrow = "peakedex.pok"'),
    ('min_withdrawal = "1"', 'min_withdrawal = "1.1"'),
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
    tested = {re.split(r"\W", old)[0] for old, _ in CONSENSUS if "=" in old}
    assert keys - tested == {"name", "key_env", "protocol", "base", "quote"}


CANONICAL = """\
peakedex-venue 2
contract peake
custom_json_id ssc-mainnet-hive
start_block 101000000
operator peakecoin
checkpoint_account peakecoin.proof
fee_account peakecoin.fees
max_open_orders 200
order_lifetime 2592000
accept_flat_intents true
token HBD 3 peakedex.hive 100
token PEK 8 peakedex.pek 100000000
token SWAP.HIVE 8 peakedex.hive 100000
pair PEK/HBD 5 -2 0 0 maker cancel_resting active
pair PEK/SWAP.HIVE 6 2 0 20 maker cancel_resting active
"""


def test_the_hash_is_that_of_the_canonical_text() -> None:
    venue = parse_venue(GOOD)
    assert venue.canonical() == CANONICAL
    assert venue.hash == sha256(CANONICAL.encode()).hexdigest()


def test_defaults_are_filled_in() -> None:
    lines = ("max_open_orders = 200", "order_lifetime = 2592000", "accept_flat_intents = true")
    text = GOOD.replace('checkpoint_account = "peakecoin.proof"\n', "")
    for line in lines:
        text = text.replace(f"{line}\n", "")
    assert parse_venue(text).canonical() == CANONICAL.replace("peakecoin.proof", "peakecoin")


def test_the_example_venues_are_valid() -> None:
    files = list((Path(__file__).parents[3] / "venues").glob("*.toml"))
    assert files
    for file in files:
        venue = parse_venue(file.read_text())
        assert isinstance(venue, Venue)
        assert venue.pairs


# ---------------------------------------------------------------- the rule behind it


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
    found = decimals_fit(
        price_decimals=price, quantity_decimals=quantity, base_precision=base, quote_precision=quote
    )
    assert found is fit


@pytest.mark.parametrize("text", ["[venue]\nstart_block = " + "9" * 5000, "a = " + "[" * 100_000])
def test_errors_of_the_toml_parser_are_venue_errors(text: str) -> None:
    with pytest.raises(VenueError, match="file: is not valid TOML"):
        parse_venue(text)


def test_a_venue_from_block_0_begins_with_the_first_block_of_the_chain() -> None:
    venue = parse_venue(GOOD.replace("start_block = 101000000", "start_block = 0"))
    machine = StateMachine(venue)
    assert machine.next_block() == 1
    assert "start_block 0\n" in venue.canonical()
    machine.apply(BlockHeader(1, f"{1:08x}" + "0" * 32, 1_700_000_000))
    assert machine.next_block() == 2
