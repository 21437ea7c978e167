"""Every option of every command refuses a value that cannot be, with its name, before anything happens."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from indexer.settings import SERVER_URL
from tests.system.cli.command import FAILED, MISUSED, commands, peakedex

ALL = dict(commands())
NUMBERS = ("1" + "0" * 30, "-99", "1.5x", "")
URLS = ("api.hive.blog", "ftp://api.hive.blog", "http://", "http://[::1", "http://h:99999", "http://a b")


def values_that_cannot_be(option: click.Option) -> tuple[str, ...]:
    kind = option.type
    if option.is_flag:
        return ()
    if isinstance(kind, click.IntRange | click.FloatRange):
        return NUMBERS[1:] if kind.max is None else NUMBERS
    if isinstance(kind, click.Choice):
        return ("neither", "")
    if kind is SERVER_URL:
        return URLS
    if isinstance(kind, click.Path) and kind.exists:
        return ("missing/file",)
    return ()


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_a_value_that_cannot_be_is_refused_by_the_name_of_its_option(
    name: tuple[str, ...], here: Path
) -> None:
    for option in ALL[name].params:
        if not isinstance(option, click.Option):
            continue
        for value in values_that_cannot_be(option):
            run = peakedex(*name, option.opts[0], value)
            assert run.code == MISUSED, (option.name, value)
            assert run.error.startswith(f"Error: Invalid value for '{option.opts[0]}'"), run.err
    assert list(here.iterdir()) == []


def test_block_numbers_end_where_those_of_hive_end(here: Path) -> None:
    for words in (("journal", "--from"), ("journal", "--to"), ("state", "--block"), ("export", "--to")):
        run = peakedex(*words, 2**32, "--db", "x.db")
        assert run.code == MISUSED
        assert "is not in the range 1<=x<=4294967295" in run.error


def test_a_url_in_the_settings_file_is_refused_by_its_key(here: Path) -> None:
    (here / "peakedex.toml").write_text('engine-node = ["https://one.example", "two.example"]')
    run = peakedex("state")
    assert (run.code, run.error) == (
        MISUSED,
        "Error: peakedex.toml: engine-node: 'two.example' is not a URL: "
        "write it like https://api.example.org",
    )


def test_no_password_in_a_url_is_published_by_the_api(here: Path) -> None:
    for words in (("follow", "--node"), ("follow", "--engine-node"), ("payouts", "--cosign-relay")):
        run = peakedex(*words, "https://me:secret@node.example")
        assert run.code == MISUSED
        assert run.error.endswith("publish URLs of servers: remove user and password")
        assert "secret" not in run.err


def test_a_path_that_the_system_cannot_take_is_one_line(here: Path) -> None:
    for words in (("state", "--db"), ("backup", "list", "--from"), ("db", "check", "--db")):
        run = peakedex(*words, "x" * 300)
        assert run.code in (FAILED, MISUSED)
        assert "name too long" in run.complaint


def test_a_file_that_fails_while_it_is_read_is_one_line(here: Path) -> None:
    """Linux answers a read of the memory's first page with an input/output error, as a bad disk does."""
    run = peakedex("venue", "check", "/proc/self/mem")
    assert (run.code, run.complaint) == (
        FAILED,
        "Error: input/output error: check the disk, then run it again",
    )


def test_bytes_that_are_no_text_are_refused_by_an_intent(venue: Path) -> None:
    for action in ("cancel", "cancel-withdrawal", "return-withdrawal"):
        run = peakedex("intent", action, "--id", "\udcff", "--venue", venue)
        assert (run.code, run.error) == (MISUSED, "Error: Invalid value for '--id': is not UTF-8 text")


def test_a_devnet_refuses_a_venue_file_that_is_no_text(here: Path) -> None:
    (here / "venue.toml").write_bytes(b'name = "\xff"')
    run = peakedex("devnet", "--venue", "venue.toml", "--port", "0")
    assert (run.code, run.complaint) == (
        MISUSED,
        "Error: venue file: file: venue.toml is not UTF-8 text; save it as UTF-8",
    )


def test_a_byte_order_mark_is_named(venue: Path) -> None:
    """Some editors write one where nobody sees it."""
    venue.write_text(f"\ufeff{venue.read_text('utf-8')}", "utf-8")
    run = peakedex("venue", "check", venue)
    assert run.code == MISUSED
    assert "begins with a byte order mark; save it as UTF-8 without one" in run.complaint
    Path("peakedex.toml").write_text('\ufeffdb = "x.db"', "utf-8")
    run = peakedex("state")
    assert run.error == "Error: peakedex.toml begins with a byte order mark: save it as UTF-8 without one"
