"""The services that back up and publish: hardening, and commands that exist."""

from __future__ import annotations

import re

import pytest

from tests.support.doc_examples import misuse
from tests.system.deploy.server import ROOT
from tests.system.deploy.test_units import FOLDER, NEEDED, options

UNIT = "peakedex-backup"


@pytest.mark.parametrize(("unit", "optional"), [(UNIT, ""), ("peakedex-publish", "-")])
def test_it_has_no_rights_and_no_keys(unit: str, optional: str) -> None:
    found = options(unit)
    assert {key: found.get(key) for key in NEEDED} == {key: [value] for key, value in NEEDED.items()}
    assert found["InaccessiblePaths"] == ["-/etc/peakedex/payouts.env -/etc/peakedex/backup.env"]
    assert found["EnvironmentFile"] == ["/etc/peakedex/peakedex.env", f"{optional}/etc/peakedex/backup.env"]
    assert "ReadWritePaths" not in found
    assert found["Type"] == ["oneshot"]


def test_its_commands_are_those_of_the_program() -> None:
    backup, export = options(UNIT)["ExecStart"]
    for line, name in ((backup, "backup"), (export, "export")):
        words = line.removeprefix("/opt/peakedex/bin/peakedex ").split()
        assert words[0] == name
        assert misuse(words) == ""
    assert re.search(r"--to \$\{PEAKEDEX_BACKUP_TO\}$", backup)


def test_the_place_of_the_evidence_is_a_setting() -> None:
    """The unit names none, and the deploy scripts write one that its user can write to."""
    assert options("peakedex-publish")["ExecStart"] == ["/opt/peakedex/bin/peakedex publish"]
    settings = (ROOT / "deploy" / "common.sh").read_text("utf-8")
    assert "PEAKEDEX_PUBLISH_TO=/var/lib/peakedex-public/evidence\n" in settings
    assert options("peakedex-publish")["StateDirectory"] == ["peakedex-public peakedex-public/evidence"]


def test_the_timer_starts_it_each_night_and_makes_up_for_missed_ones() -> None:
    timer = (FOLDER / f"{UNIT}.timer").read_text("ascii")
    assert "OnCalendar=*-*-* 03:10:00 UTC" in timer
    assert "Persistent=true" in timer
    assert "[Install]\nWantedBy=timers.target" in timer
