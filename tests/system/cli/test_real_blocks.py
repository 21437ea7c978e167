"""Recorded blocks of the real chain through the real command.

None of them holds anything for this venue. So each story gives the venue an escrow account that somebody
really sent coins to, or listens to the contract `market`, whose orders have the shape of ours.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from settlement.core.events import BlockHeader, Movement
from settlement.core.venue import parse_venue
from settlement.store.database import open_writer
from settlement.store.write.loader import load_or_initialise
from settlement.store.write.projector import Batch, totals_of
from tests.support import recorded_blocks as recorded
from tests.system.cli.command import FAILED, OK, peakedex

SHAPES = ("as recorded", "in the other shape")
YEAR_2025 = "workerbee_mirrornet_blocks_97477292-97477298"


def venue_file(folder: Path, start_block: int, escrow: str = "nobody.dex", contract: str = "market") -> Path:
    """A venue that lists what the market's orders of 2025 trade, with decimals that fit some of them."""
    tokens = {"SPS": 8, "LEO": 3, "CHAOS": 0, "SWAP.MATIC": 8, "GLX": 3, "SWAP.HIVE": 8}
    decimals = {"SPS": (8, 0), "LEO": (5, 3), "CHAOS": (8, 0), "SWAP.MATIC": (2, 4), "GLX": (5, 3)}
    text = f"""
[venue]
name = "Real blocks"
protocol = 2
contract = "{contract}"
custom_json_id = "ssc-mainnet-hive"
start_block = {start_block}
operator = "operator"
fee_account = "fees"
max_open_orders = 200
order_lifetime = 2592000
accept_flat_intents = true
"""
    for symbol, precision in tokens.items():
        text += f'[tokens."{symbol}"]\nprecision = {precision}\nmin_withdrawal = "1"\nescrow = "dex.tokens"\n'
    for symbol in ("HIVE", "HBD"):
        text += f'[tokens.{symbol}]\nprecision = 3\nmin_withdrawal = "0.001"\nescrow = "{escrow}"\n'
    for symbol, (price, quantity) in decimals.items():
        text += f'[[pairs]]\nbase = "{symbol}"\nquote = "SWAP.HIVE"\n'
        text += f"price_decimals = {price}\nquantity_decimals = {quantity}\n"
    path = folder / "venue.toml"
    path.write_text(text, "utf-8")
    return path


def archive_of(folder: Path, blocks: list[dict[str, Any]], shape: str) -> Path:
    folder.mkdir(exist_ok=True)
    if shape != SHAPES[0]:
        blocks = [recorded.in_other_shape(block) for block in blocks]
    (folder / "blocks.jsonl").write_text("".join(json.dumps(block) + "\n" for block in blocks))
    return folder


def number_of(block: dict[str, Any]) -> int:
    return int(block["block_id"][:8], 16)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "first"), [("1-1000", 1), ("1000000-1000999", 1_000_000)])
def test_a_thousand_blocks(here: Path, name: str, first: int, shape: str) -> None:
    blocks = recorded.load(f"hive_block_range_{name}")
    archive = archive_of(here / "chain", blocks, shape)
    venue = venue_file(here, first)
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--json", "--db", "dex.db")
    assert run.code == OK, run.err
    assert run.json["blocks"] == 1000
    assert run.json["last_block"] == first + 999
    assert run.json["block_id"] == blocks[-1]["block_id"]
    assert (run.json["intents"], run.json["trades"], run.json["accounts"]) == (0, 0, 0)
    assert run.json["journal_hash"] == parse_venue(venue.read_text()).hash
    assert peakedex("journal", "--db", "dex.db").out == ""
    assert peakedex("state", "--db", "dex.db").lines[2] == (
        f"block {first + 999} {blocks[-1]['block_id']} {blocks[-1]['timestamp']}"
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "escrow", "lines"),
    [
        (
            "hive_block_range_1000000-1000999",
            "register",
            ["deposit 5dd9f574fb0028342f5aa016f26d38dbfeae9693 openledger HIVE 10000 register"],
        ),
        (
            "hafah_blocks_4999981-5000000",
            "poloniex",
            ["deposit 13eb4b4b86ac951da54858815fbb527b27fce2c1 dantheman HIVE 28941000 poloniex"],
        ),
        (
            "hafah_blocks_4999981-5000000",
            "blocktrades",
            ["deposit e75f833ceb62570c25504b55d0f23d86d9d76423 mrwang HBD 1633 blocktrades"],
        ),
    ],
)
def test_a_real_transfer_is_a_deposit(
    here: Path, name: str, escrow: str, lines: list[str], shape: str
) -> None:
    blocks = recorded.load(name)
    archive = archive_of(here / "chain", blocks, shape)
    venue = venue_file(here, number_of(blocks[0]), escrow)
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--json", "--db", "dex.db")
    assert run.json["blocks"] == len(blocks)
    assert [line for line in peakedex("journal", "--db", "dex.db").lines if line[:5] != "block"] == lines
    _, _, account, symbol, units, _ = lines[0].split()
    assert f"balance {account} {symbol} {units} 0 0" in peakedex("state", "--db", "dex.db").lines
    assert f"escrow {symbol} {units}" in peakedex("state", "--db", "dex.db").lines


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "index"),
    [
        *(("haf_blocks_3286849_5771683_6531076", index) for index in range(3)),
        *(("hive_condenser_get_block_1092_1000000", index) for index in range(2)),
        *((YEAR_2025, index) for index in range(4)),
        ("hafah_block_4999999_with_virtual", 0),
        ("hivexplorer_block_70548020_partial", 0),
    ],
)
def test_a_single_block_is_read(here: Path, name: str, index: int, shape: str) -> None:
    """Blocks that stand alone: each the first of its venue."""
    block = recorded.load(name)[index]
    archive = archive_of(here / "chain", [block], shape)
    venue = venue_file(here, number_of(block), contract="peakedex")
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--json")
    assert run.code == OK, run.err
    assert (run.json["blocks"], run.json["block_id"]) == (1, block["block_id"])
    assert run.json["intents"] == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_payments_of_an_exchange_of_2016_are_outflows(here: Path, shape: str) -> None:
    """Every one of them left an escrow account, and no withdrawal explains it."""
    block = recorded.load("haf_blocks_3286849_5771683_6531076")[0]
    archive = archive_of(here / "chain", [block], shape)
    venue = venue_file(here, number_of(block), "blocktrades")
    peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db")
    lines = peakedex("journal", "--db", "dex.db").lines[1:]
    assert len(lines) == 19
    assert (
        lines[0] == "outflow e0291fcbc47818ebba41202e915fc66ab90dcbce blocktrades hive HIVE 6930 chrisresmini"
    )
    assert {line.split()[0] for line in lines} == {"outflow"}
    sent = sum(int(line.split()[5]) for line in lines)
    assert f"escrow HIVE -{sent}" in peakedex("state", "--db", "dex.db").lines


def test_single_blocks_do_not_make_a_chain(here: Path) -> None:
    blocks = recorded.load(YEAR_2025)
    archive = archive_of(here / "chain", blocks, SHAPES[0])
    venue = venue_file(here, 97477292)
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db")
    assert run.code == FAILED
    assert run.complaint == (
        "Error: stopped: blocks.jsonl, line 2: block 97477294 follows block 97477292: a gap"
    )
    assert peakedex("state", "--db", "dex.db", "--json").json["block"] == 97477292


# ---------------------------------------------------------------- the sidechain's market, read as ours

POOR = {
    97477292: """
block 97477292 05cf62acffaac7d82272b930f9bf4b00ad5fb235 2025-07-08T23:09:27
reject 89cf8c3431e606059f07b2f9943bbc77737169db spshards sell - E_PRECISION
reject d922f33b96aabd1e5ccec4a7fd39847a42800901 hannahjames710 cancel - E_NOT_FOUND
reject a5464f3173b38a523d72853e160dca385b20ac51 otomo cancel - E_NOT_FOUND
""",
    97477294: """
block 97477294 05cf62ae0d6576d8b0b03582a53752cd0918a288 2025-07-08T23:09:33
reject 105cb222d3ca56ab91c85fc02f756b2af24736e6 leotaker buy - E_PRECISION
""",
    97477296: """
block 97477296 05cf62b0352538944c32c1e190aa94b2073775fd 2025-07-08T23:09:39
reject 7ff4698dc15dec46e3a12a4bfb316e498427931d leotaker cancel - E_NOT_FOUND
reject dddb21ab548ce58ec2507f1f716391d8b04bc5ab cloclo19 buy - E_FUNDS
reject 240aa6b977c2bb23fa945100a14541e5b0fc3691 aerrilee cancel - E_NOT_FOUND
""",
    97477298: """
block 97477298 05cf62b214968f2d943abcb1950b9c3f1bd039d2 2025-07-08T23:09:45
reject 23852afaa2b9cd244d6e35343d1685f7671619fd paulmoon410 buy - E_FUNDS
reject 97a16b96cf43132da8dcf8c2f7e519a7c2314657 glxt buy - E_PRECISION
reject d2fa81558c3fdf29b7690a69f589d7e5fde62857 bonnierabbit cancel - E_NOT_FOUND
""",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("index", range(4))
def test_market_actions_of_2025_are_intents_of_traders_without_funds(
    here: Path, index: int, shape: str
) -> None:
    """All that called `market` are decided; the calls of tokens and pools are nobody's intent."""
    block = recorded.load(YEAR_2025)[index]
    number = number_of(block)
    archive = archive_of(here / "chain", [block], shape)
    venue = venue_file(here, number)
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db", "--json")
    expected = POOR[number].lstrip()
    assert peakedex("journal", "--db", "dex.db").out == expected
    assert run.json["intents"] == run.json["rejected"] == expected.count("reject")


FUNDED = {
    97477296: """
block 97477296 05cf62b0352538944c32c1e190aa94b2073775fd 2025-07-08T23:09:39
reject 7ff4698dc15dec46e3a12a4bfb316e498427931d leotaker cancel - E_NOT_FOUND
accept dddb21ab548ce58ec2507f1f716391d8b04bc5ab cloclo19 active buy -
order dddb21ab548ce58ec2507f1f716391d8b04bc5ab 1 cloclo19 CHAOS/SWAP.HIVE buy limit 195001814 3 1754608179 0 0 venue - -
reject 240aa6b977c2bb23fa945100a14541e5b0fc3691 aerrilee cancel - E_NOT_FOUND
""",
    97477298: """
block 97477298 05cf62b214968f2d943abcb1950b9c3f1bd039d2 2025-07-08T23:09:45
accept 23852afaa2b9cd244d6e35343d1685f7671619fd paulmoon410 active buy -
order 23852afaa2b9cd244d6e35343d1685f7671619fd 1 paulmoon410 SWAP.MATIC/SWAP.HIVE buy limit 96 10000 1754608185 0 0 venue - -
reject 97a16b96cf43132da8dcf8c2f7e519a7c2314657 glxt buy - E_PRECISION
reject d2fa81558c3fdf29b7690a69f589d7e5fde62857 bonnierabbit cancel - E_NOT_FOUND
""",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("index", "trader", "locked"), [(2, "cloclo19", 585005442), (3, "paulmoon410", 9600)]
)
def test_the_same_traders_with_funds_get_their_orders(
    here: Path, index: int, trader: str, locked: int, shape: str
) -> None:
    """The block before is ours: it brings them 10 SWAP.HIVE, and the real block links to it."""
    block = recorded.load(YEAR_2025)[index]
    number = number_of(block)
    venue = venue_file(here, number - 1)
    rules, projector = load_or_initialise(open_writer("dex.db"), parse_venue(venue.read_text()))
    funds = Movement("funds", "hive-engine", trader, "dex.tokens", "SWAP.HIVE", "10", None)
    entry = rules.apply(BlockHeader(number - 1, block["previous"], 1_752_000_000), [funds])
    projector.project(Batch([entry], [], entry.header, totals_of(rules.state)))
    archive = archive_of(here / "chain", [block], shape)
    run = peakedex("replay", "--venue", venue, "--archive", archive, "--db", "dex.db", "--json")
    assert (run.code, run.json["open_orders"]) == (OK, 1), run.err
    assert peakedex("journal", "--db", "dex.db", "--from", number).out == FUNDED[number].lstrip()
    balance = f"balance {trader} SWAP.HIVE {10**9 - locked} {locked} 0"
    assert balance in peakedex("state", "--db", "dex.db").lines
