"""Random venues: four pairs with different decimals, fees and policies; and the odd values that events may hold."""

from __future__ import annotations

from random import Random
from typing import Any

from settlement.core.events import BlockHeader, Chain, JsonNumber
from settlement.core.venue import PRICE_POLICIES, SELF_TRADE_POLICIES, PairRules, TokenRules, Venue

START_TIME = 1_700_000_000
START_BLOCK = 1000
TRADERS = ("alice", "bob", "carol-1", "dan.dex")
ODD_SENDERS = ("erin", "Not An Account", "-", "é☃\ud800", "fred%20")
GRANTEES = ("posting", "bob", "erin", "posting")
OPERATOR = "operator"
CHECKPOINTS = "operator.proof"
LIFETIME = 120

TOKENS = (
    TokenRules("PEK", 8, "dex.pek", 100_000),
    TokenRules("PIMP", 3, "dex.pek", 500),
    TokenRules("SWAP.HIVE", 8, "dex.hive", 1),
    TokenRules("SWAP.BTC", 8, "dex.btc", 1_000),
    TokenRules("HBD", 3, "dex.hive", 1_000),
)
# base, quote, price decimals, quantity decimals: lots of a hundredth, of a thousand, of one unit.
PAIRS = (
    ("PEK", "SWAP.HIVE", 2, 2),
    ("PEK", "SWAP.BTC", 11, -3),
    ("PEK", "HBD", 3, 0),
    ("PIMP", "SWAP.HIVE", 5, 3),
)
WEIRD_TEXT = ("", "-", "x y", "%41", "\x00", "\ud83d", "☃", "a" * 300, "peakedex:")
WEIRD_VALUES: tuple[Any, ...] = (
    None,
    True,
    [],
    {},
    "",
    "0",
    "-1",
    "1e3",
    " 1",
    "+1",
    "0x1",
    "١",
    "１",
    "01",
    ".5",
    "5.",
    "1.0000000000000000001",
    "0.0000000000000000001",
    "10000000000000000000",
    JsonNumber("1e3"),
    JsonNumber("-0"),
    JsonNumber("0"),
    JsonNumber("1.5"),
    JsonNumber("99999999999999999999"),
)
LITERALS = (
    "0",
    "0.0",
    "-1",
    "nan",
    "Infinity",
    "",
    "1e9999",
    "1e10000",
    "3e-9999",
    "1e",
    "١",
    "0x10",
    "0X1F.8",
    "0xaB",
    "0o0o17",
    "0b",
    "0b101.1",
    "1.123456789123",
    "1e-9",
    "1e30",
    "9" * 30,
    "1 000",
    "..",
    ".",
)


def make_venue(
    policies: tuple[str, ...] = ("maker",) * 4, self_trades: tuple[str, ...] = ("cancel_resting",) * 4
) -> Venue:
    """A venue of four pairs with different decimals and fees, and the given policies for each pair."""
    pairs = tuple(
        PairRules(base, quote, price_decimals, quantity_decimals, maker_bps, taker_bps, policy, self_trade)
        for (base, quote, price_decimals, quantity_decimals), policy, self_trade, (
            maker_bps,
            taker_bps,
        ) in zip(PAIRS, policies, self_trades, ((0, 20), (10, 0), (333, 1000), (0, 0)), strict=True)
    )
    return Venue(
        name="Model",
        contract="peakedex",
        custom_json_id="ssc-mainnet-hive",
        start_block=START_BLOCK,
        operator=OPERATOR,
        checkpoint_account=CHECKPOINTS,
        fee_account="dan.dex",
        max_open_orders=6,
        order_lifetime=LIFETIME,
        accept_flat_intents=True,
        tokens=TOKENS,
        pairs=pairs,
    )


def random_venue(random: Random) -> Venue:
    return make_venue(
        tuple(random.choice(PRICE_POLICIES) for _ in PAIRS),
        tuple(random.choice(SELF_TRADE_POLICIES) for _ in PAIRS),
    )


def header_after(header: BlockHeader | None, seconds: int) -> BlockHeader:
    """The header of the next block, `seconds` later."""
    number = START_BLOCK if header is None else header.number + 1
    time = START_TIME if header is None else header.timestamp + seconds
    return BlockHeader(number, f"{number:08x}{'ab' * 16}", time)


def chain_of(symbol: str) -> Chain:
    """Where a token of that symbol lives."""
    return "hive" if symbol in ("HIVE", "HBD") else "hive-engine"
