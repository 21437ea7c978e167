"""`peakedex site build`: the site's folder, with its venue pinned in config.js."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.system.cli.command import MISUSED, OK, peakedex
from tests.system.store.chains import VENUE_TEXT, demo

FRONTEND = Path(__file__).parents[3] / "frontend"


def value(folder: Path, name: str) -> Any:
    """A value of the built config.js, which are written as JSON."""
    text = (folder / "config.js").read_text("utf-8")
    return json.JSONDecoder().raw_decode(text.split(f"\n  {name}: ")[1])[0]


def test_the_folder_is_the_site_with_the_venue_pinned(here: Path, venue: Path) -> None:
    other = "https://other.example/api"
    run = peakedex("site", "build", "--venue", venue, "--api", "api/", "--api", other, "--out", "site")
    assert run.code == OK, run.err
    assert f"venue_hash  {demo().hash}" in run.lines
    site = here / "site"
    names = {path.relative_to(FRONTEND) for path in FRONTEND.rglob("*")}
    assert {path.relative_to(site) for path in site.rglob("*")} == names
    assert value(site, "apis") == ["api/", f"{other}/"]
    assert value(site, "pins") == {
        "venueHash": demo().hash,
        "contract": demo().contract,
        "customJsonId": demo().custom_json_id,
        "checkpointAccounts": sorted({demo().operator, demo().checkpoint_account}),
        "escrows": {token.symbol: token.escrow for token in demo().tokens},
    }


def test_the_built_configuration_has_what_the_plain_one_has(here: Path, venue: Path) -> None:
    peakedex("site", "build", "--venue", venue, "--out", "site")
    fields = [
        re.findall(r"^  (\w+):", (folder / "config.js").read_text("utf-8"), re.MULTILINE)
        for folder in (here / "site", FRONTEND)
    ]
    assert fields[0] == fields[1]
    assert value(here / "site", "apis") == value(FRONTEND, "apis") == ["api/"]
    assert value(here / "site", "hiveNodes") == value(FRONTEND, "hiveNodes")
    assert value(here / "site", "engineNodes") == value(FRONTEND, "engineNodes")


def test_the_configuration_alone_is_the_same(here: Path, venue: Path) -> None:
    words = ("--venue", venue, "--api", "https://dex.example.org/api/")
    peakedex("site", "build", *words, "--out", "site")
    assert peakedex("site", "config", *words).out == (here / "site/config.js").read_text("utf-8")


def test_nodes_are_those_that_are_named(here: Path, venue: Path) -> None:
    nodes = ("--hive-node", "https://one.example", "--engine-node", "https://two.example/contracts")
    peakedex("site", "build", "--venue", venue, *nodes, "--out", "site")
    assert value(here / "site", "hiveNodes") == ["https://one.example"]
    assert value(here / "site", "engineNodes") == ["https://two.example/contracts"]


def test_an_earlier_build_is_replaced_whole(here: Path, venue: Path) -> None:
    peakedex("site", "build", "--venue", venue, "--out", "site")
    (here / "site/js/old.js").write_text("old")
    venue.write_text(VENUE_TEXT.replace("taker_fee_bps = 20", "taker_fee_bps = 21", 1), "utf-8")
    before = value(here / "site", "pins")
    assert peakedex("site", "build", "--venue", venue, "--out", "site").code == OK
    assert not (here / "site/js/old.js").exists()
    assert value(here / "site", "pins")["venueHash"] != before["venueHash"]
    assert {path.name for path in here.iterdir()} == {"site", "venue.toml"}  # nothing is left beside it


def test_a_folder_with_other_files_stays(here: Path, venue: Path) -> None:
    (here / "mine").mkdir()
    (here / "mine/letter.txt").write_text("dear")
    run = peakedex("site", "build", "--venue", venue, "--out", "mine")
    assert run.code == MISUSED
    assert run.complaint == "Error: --out: mine holds other files: name a new folder, or an earlier build"
    assert [path.name for path in (here / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("option", "address", "reason"),
    [
        ("--api", "http://dex.example.org/api/", "browsers ask only https addresses"),
        ("--api", "ftp://dex.example.org/", "is not a URL"),
        ("--api", "https://", "is not a URL"),
        ("--api", "https://me:secret@dex.example.org/api/", "leave out user name"),
        ("--api", "https://dex.example.org/api/?key=1", "leave out user name, query"),
        ("--api", "https://[dex", "is not a URL"),
        ("--hive-node", "node/", "is not a URL"),
        ("--engine-node", "http://node.example", "browsers ask only https addresses"),
    ],
)
def test_an_address_that_browsers_would_not_ask_is_refused(
    here: Path, venue: Path, option: str, address: str, reason: str
) -> None:
    run = peakedex("site", "build", "--venue", venue, option, address, "--out", "site")
    assert run.code == MISUSED
    assert run.complaint.startswith(f"Error: {option}: ")
    assert reason in run.complaint
    assert not (here / "site").exists()


def test_the_venue_file_is_checked(here: Path, venue: Path) -> None:
    venue.write_text(VENUE_TEXT.replace('operator = "peakecoin"', 'operator = "Peake Coin"'), "utf-8")
    run = peakedex("site", "build", "--venue", venue, "--out", "site")
    assert run.code == MISUSED
    assert "venue.operator" in run.complaint
    assert not (here / "site").exists()
    assert (
        peakedex("site", "build", "--out", "site").error
        == "Error: no venue: use --venue FILE, or set PEAKEDEX_VENUE"
    )
