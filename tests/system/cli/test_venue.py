"""`peakedex venue`: validation, hash and canonical text of a venue file."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.system.cli.command import MISUSED, OK, in_process, peakedex
from tests.system.store.chains import VENUE_TEXT, demo


def test_a_good_file_is_summed_up(venue: Path) -> None:
    run = peakedex("venue", "check", venue)
    assert run.code == OK
    said = dict(line.split(maxsplit=1) for line in run.lines)
    assert said == {
        "venue": "Peake DEX",
        "tokens": str(len(demo().tokens)),
        "pairs": str(len(demo().pairs)),
        "start_block": "1",
        "venue_hash": demo().hash,
    }
    as_json = peakedex("venue", "check", venue, "--json").json
    assert {name: str(value) for name, value in as_json.items()} == said


def test_the_hash_is_that_of_the_canonical_text(venue: Path) -> None:
    """The hash is that of `peakedex venue hash --text FILE | sha256sum`."""
    text = in_process("venue", "hash", "--text", venue)
    printed = peakedex("venue", "hash", venue)
    assert sha256(text.out.encode()).hexdigest() == printed.out.strip() == demo().hash


def test_name_and_keys_are_no_part_of_the_hash(here: Path, venue: Path) -> None:
    other = here / "other.toml"
    other.write_text(VENUE_TEXT.replace("Peake DEX", "Another").replace("PEK_PEK_KEY", "MY_KEY"), "utf-8")
    assert peakedex("venue", "hash", other).out == peakedex("venue", "hash", venue).out


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (('operator = "peakecoin"', 'operator = "Peake Coin"'), "venue.operator"),
        (("start_block = 1", "start_block = -1"), "venue.start_block"),
        (("taker_fee_bps = 20", "taker_fee_bps = 2000"), "taker_fee_bps"),
        (("price_decimals = 6", "price_decimals = 16"), "price_decimals"),
        (("[venue]", "[venue]\nunknown = 1"), "unknown"),
        (('price_policy = "maker"', 'price_policy = "fair"'), "price_policy"),
    ],
)
def test_a_fault_is_named_by_field_with_its_cure(here: Path, change: tuple[str, str], field: str) -> None:
    assert change[0] in VENUE_TEXT
    (here / "bad.toml").write_text(VENUE_TEXT.replace(*change, 1), "utf-8")
    for words in (("venue", "check"), ("venue", "hash")):
        run = peakedex(*words, "bad.toml")
        assert run.code == MISUSED
        assert run.complaint.startswith("Error: venue file: ")
        assert field in run.complaint


def test_what_is_no_toml_or_no_text_is_refused(here: Path) -> None:
    (here / "bad.toml").write_text("[venue\n")
    assert peakedex("venue", "check", "bad.toml").complaint.startswith("Error: venue file: ")
    (here / "bad.toml").write_bytes(b"\xff")
    run = peakedex("venue", "check", "bad.toml")
    assert (run.code, run.complaint) == (
        MISUSED,
        "Error: venue file: file: bad.toml is not UTF-8 text; save it as UTF-8",
    )


def test_all_mistakes_are_shown_at_once_and_elsewhere_the_first(here: Path) -> None:
    bad = VENUE_TEXT.replace('"peakecoin"', '"Peake Coin"').replace("precision = 3", "precision = 9")
    (here / "bad.toml").write_text(bad.replace("protocol = 2", "protocol = 1"), "utf-8")
    lines = peakedex("venue", "check", "bad.toml").err.splitlines()
    assert len(lines) > 2
    assert all(line.startswith("Error: venue file: ") for line in lines)
    for field in ("venue.operator", "precision", "venue.protocol"):
        assert any(field in line for line in lines), field
    short = peakedex("venue", "hash", "bad.toml")
    assert short.code == MISUSED
    assert short.complaint == f"{lines[0]} (and {len(lines) - 1} more: see `peakedex venue check`)"


def test_a_missing_file_is_misuse() -> None:
    run = peakedex("venue", "check", "missing.toml")
    assert run.code == MISUSED
    assert run.error == "Error: Invalid value for 'FILE': File 'missing.toml' does not exist."
