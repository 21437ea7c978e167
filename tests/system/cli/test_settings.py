"""Precedence of settings: option, environment, `peakedex.toml`, default."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.settings import setting_names, variable
from tests.system.cli.command import MISUSED, OK, peakedex


@pytest.fixture
def databases(archive: Path, venue: Path) -> list[str]:
    """Three databases, identified by their newest block."""
    for until in (1, 2, 3):
        run = peakedex(
            "replay", "--venue", venue, "--archive", archive, "--until", until, "--db", f"{until}.db"
        )
        assert run.code == OK
    return ["1.db", "2.db", "3.db"]


def block_shown(*words: str, **environment: str) -> int:
    run = peakedex("state", "--json", *words, **environment)
    assert run.code == OK, run.err
    return int(run.json["block"])


@pytest.mark.usefixtures("databases")
def test_option_over_environment_over_file(here: Path) -> None:
    (here / "peakedex.toml").write_text('db = "1.db"\n')
    assert block_shown() == 1
    assert block_shown(PEAKEDEX_DB="2.db") == 2
    assert block_shown("--db", "3.db", PEAKEDEX_DB="2.db") == 3
    (here / "peakedex.toml").unlink()
    assert block_shown(PEAKEDEX_DB="2.db") == 2
    assert block_shown("--db", "sqlite:///3.db") == 3


@pytest.mark.usefixtures("databases")
def test_another_file_can_be_named(here: Path) -> None:
    (here / "peakedex.toml").write_text('db = "1.db"\n')
    (here / "other.toml").write_text('db = "2.db"\n')
    assert block_shown(PEAKEDEX_CONFIG="other.toml") == 2
    run = peakedex("state", PEAKEDEX_CONFIG="missing.toml")
    assert (run.code, run.error) == (MISUSED, "Error: PEAKEDEX_CONFIG: missing.toml does not exist")


def test_the_file_counts_for_commands_within_commands(here: Path) -> None:
    (here / "peakedex.toml").write_text('db = "new.db"\n')
    assert peakedex("db", "upgrade").code == OK
    assert (here / "new.db").is_file()


def test_replay_takes_venue_and_database_from_the_file(here: Path, venue: Path, archive: Path) -> None:
    (here / "peakedex.toml").write_text(f'db = "new.db"\nvenue = "{venue.name}"\n')
    assert peakedex("replay", "--archive", archive, "--until", "5").code == OK
    assert block_shown() == 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dbb = 'x'", "peakedex.toml: dbb is not a setting; the settings are db, venue, node,"),
        ("[db]\nurl = 'x'", "peakedex.toml: db must be a single string or number"),
        ("db = true", "peakedex.toml: db must be a single string or number"),
        (
            "node = 'https://api.hive.blog'",
            'peakedex.toml: node must be a list, as in node = ["first", "second"]',
        ),
        ("node = [1]", "peakedex.toml: node must be a list"),
        ("db = ", "peakedex.toml: Invalid value"),
        ("port = 'http'\n", "peakedex.toml: port: 'http' is not a valid integer range."),
        ("port = 70000\n", "peakedex.toml: port: 70000 is not in the range 0<=x<=65535."),
        ("log-level = 'loud'\n", "peakedex.toml: log-level: 'loud' is not one of"),
    ],
)
def test_a_file_with_a_fault_is_refused_by_name(here: Path, text: str, complaint: str) -> None:
    (here / "peakedex.toml").write_text(text)
    run = peakedex("serve")
    assert run.code == MISUSED
    assert run.error.startswith(f"Error: {complaint}")


def test_a_file_that_is_none_is_refused_by_name(here: Path) -> None:
    (here / "peakedex.toml").write_bytes(b"\xff\xfe")
    assert peakedex("state").error.startswith("Error: peakedex.toml: ")
    (here / "peakedex.toml").unlink()
    (here / "peakedex.toml").mkdir()
    run = peakedex("state")
    assert (run.code, run.error) == (MISUSED, "Error: peakedex.toml cannot be read: Is a directory")


def test_lists_in_the_environment_are_separated_by_spaces(here: Path, venue: Path) -> None:
    """Both nodes of the environment variable are used, the second after the first fails."""
    run = peakedex(
        *("follow", "--venue", venue, "--db", "x.db", "--log-level", "loud"),
        PEAKEDEX_NODE="http://one http://two",
    )
    assert run.code == MISUSED
    assert "'loud' is not one of" in run.error


def test_every_setting_has_a_variable_of_its_name() -> None:
    assert [variable(name) for name in setting_names()] == [
        "PEAKEDEX_" + name.upper().replace("-", "_") for name in setting_names()
    ]
    assert variable("engine-node") == "PEAKEDEX_ENGINE_NODE"
