"""Documents that fail when they are stale: commands, options and settings are named, examples run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import click
import pytest

from indexer.config import setting_names, variable
from settlement.statetext import state_text
from tests.cli.command import clean_environment, commands
from tests.store.chains import JOURNAL_KINDS, VENUE_TEXT, demo, journal, lively, replay

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "operator.md").read_text("utf-8")
AUDITOR = (ROOT / "docs" / "auditor.md").read_text("utf-8")
DOCUMENTS = {
    path.name: path.read_text("utf-8") for path in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
}
COMMANDS = {" ".join(name): command for name, command in commands()}


def row_of(command: str) -> str:
    """The operator's guide's row of a command; for intents with what all of them share."""
    rows = [line for line in GUIDE.splitlines() if line.startswith(f"| `peakedex {command}` |")]
    assert len(rows) == 1, f"docs/operator.md needs one row for `peakedex {command}`"
    if command.startswith("intent "):
        rows += re.findall(r"^`peakedex intent` prints.*?\n\n", GUIDE, re.MULTILINE | re.DOTALL)
        assert len(rows) == 2
    return " ".join(rows)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command_is_in_the_operator_s_guide(command: str) -> None:
    row = row_of(command)
    options = {
        option
        for parameter in COMMANDS[command].params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("--")
    }
    assert {option for option in options if f"`{option}`" not in row} == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_is_documented_that_does_not_exist(command: str) -> None:
    own = row_of(command).split("|")[2]
    known = {
        option
        for parameter in COMMANDS[command].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"`(--[a-z-]+)`", own)) <= known


def test_no_command_is_documented_that_does_not_exist() -> None:
    groups = {name.rsplit(" ", 1)[0] for name in COMMANDS if " " in name}
    for name, text in DOCUMENTS.items():
        for line in text.splitlines():
            for words in re.findall(r"^\| `peakedex ([a-z -]+)` \|", line):
                assert words in COMMANDS or words in groups, f"{name}: {line}"


@pytest.mark.parametrize("setting", setting_names())
def test_every_setting_is_in_the_table_with_its_key_variable_and_option(setting: str) -> None:
    row = f"| `{setting}` | `{variable(setting)}` | `--{setting}` |"
    assert row in GUIDE, f"docs/operator.md needs a row that begins {row}"


def test_the_table_of_settings_has_no_others() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| `PEAKEDEX_", GUIDE, re.MULTILINE)
    assert rows == list(setting_names())


def test_every_kind_of_journal_line_is_in_the_auditor_s_guide() -> None:
    assert [kind for kind in JOURNAL_KINDS if f"| `{kind} <" not in AUDITOR] == []


def test_the_auditor_s_examples_run_and_show_the_right_hashes(tmp_path: Path) -> None:
    """All of them in one shell, in the folder that the guide describes."""
    (tmp_path / "venue.toml").write_text(VENUE_TEXT, "utf-8")
    rules, database = replay(lively().write(tmp_path / "recorded"))
    (tmp_path / "theirs.txt").write_text(journal(database))
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "peakedex"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m indexer.cli "$@"\n')
    program.chmod(0o755)
    blocks = re.findall(r"^```sh\n(.*?)^```$", AUDITOR, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 7
    script = "set -eu\n" + "".join(f"echo '== {number}'\n{text}" for number, text in enumerate(blocks))
    environment = clean_environment()
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    environment["PYTHONPATH"] = str(ROOT)
    run = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    shown = dict(enumerate(run.stdout.split("== ")[1:]))
    state_hash = sha256(state_text(rules.state).encode()).hexdigest()
    assert shown[0].count(demo().hash) == 2
    for number in (1, 2):
        assert re.search(rf"^journal_hash +{rules.state.journal_hash}$", shown[number], re.MULTILINE)
    for number in (1, 2, 3):
        assert state_hash in shown[number]
    assert shown[4].splitlines()[1].startswith("block 1 ")
    assert shown[5].splitlines()[1] == rules.state.journal_hash
    assert shown[6].splitlines()[1] == "the same"
    assert "PEK owed" in shown[7]
