"""Keys leave no trace outside the process that uses them; the unit that runs it allows it little."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from settlement.payouts.hardening import take

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "peakedex-payouts.service"
SECRET = "5Jsecretsecretsecretsecretsecretsecretsecretsecrets"


def run(program: str, folder: Path) -> list[str]:
    """What a process with a key in its environment prints."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "MY_KEY": SECRET, "YOUR_KEY": f"  {SECRET}\t", "OTHER": "kept"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_a_key_is_in_no_environment_once_it_is_read(tmp_path: Path) -> None:
    said = run(
        "import os, subprocess, sys\n"
        "from settlement.payouts.hardening import take\n"
        "first = open('/proc/self/environ', 'rb').read()\n"
        "print(take(['MY_KEY', 'YOUR_KEY', 'NO_KEY'])['YOUR_KEY'])\n"
        "after = open('/proc/self/environ', 'rb').read()\n"
        "child = subprocess.run([sys.executable, '-c', 'import os; print(dict(os.environ))'],"
        " capture_output=True).stdout\n"
        "print(*(b'5Jsecret' in text for text in (first, after, child, repr(os.environ).encode())))\n"
        "print(b'OTHER=kept' in after, len(first) == len(after), take(['MY_KEY']))\n",
        tmp_path,
    )
    assert said == [SECRET, "True False False False", "True True {}"]


def test_the_process_cannot_be_dumped_or_read_and_its_files_are_its_own(tmp_path: Path) -> None:
    said = run(
        "import ctypes, resource\n"
        "from settlement.payouts.hardening import harden\n"
        "harden()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
        "open('written', 'w').close()\n",
        tmp_path,
    )
    assert said == ["(0, 0) 0"]
    assert stat.S_IMODE((tmp_path / "written").stat().st_mode) == 0o600


def test_any_mapping_gives_up_what_is_taken() -> None:
    environ = {"A": " one ", "B": "", "C": "  ", "D": "kept"}
    assert take(["A", "B", "C", "X"], environ) == {"A": "one"}
    assert environ == {"D": "kept"}


# -- the unit ---------------------------------------------------------------------------------------


def options() -> dict[str, list[str]]:
    """The options of the unit's [Service], each with all its values in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text("ascii").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


NEEDED = {
    "User": "peakedex-payouts",
    "UMask": "0077",
    "LimitCORE": "0",
    "MemorySwapMax": "0",
    "InaccessiblePaths": "/etc/peakedex/payouts.env",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "ProtectProc": "invisible",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "ProtectClock": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
}


@pytest.mark.parametrize("option", NEEDED)
def test_the_unit_allows_little(option: str) -> None:
    assert options()[option] == [NEEDED[option]]


def test_the_unit_holds_no_key_and_allows_the_calls_of_a_service_alone() -> None:
    found = options()
    assert "Environment" not in found  # `systemctl show` tells it to everybody
    assert "PassEnvironment" not in found
    assert found["EnvironmentFile"] == ["/etc/peakedex/peakedex.env", "/etc/peakedex/payouts.env"]
    allowed, denied = found["SystemCallFilter"]
    assert allowed == "@system-service"
    assert denied.startswith("~@privileged ")
    assert "@resources" not in denied  # the process sets its own limit of core dumps
    assert found["ExecStart"] == ["/opt/peakedex/bin/peakedex payouts"]


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Where systemd is; elsewhere every line is at least an option of the kinds that it knows."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        assert all(name.isalnum() and name[0].isupper() for name in options())
        return
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text("ascii").replace("/opt/peakedex/bin/peakedex", sys.executable))
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr


def test_the_program_runs_without_memory_that_is_written_and_executed(tmp_path: Path) -> None:
    """What the unit's MemoryDenyWriteExecute forbids, by the kernel's own switch for a process."""
    forbid = (
        "import ctypes, os, sys\n"
        "ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    work = (
        "from settlement.payouts import hardening, signing, chain, cosign, exchange, runner\n"
        "hardening.harden()\n"
        "hardening.take(['MY_KEY'])\n"
        "from indexer.devnet.keys import PrivateKey\n"
        "made = signing.Transaction((('transfer', {'from': 'a', 'to': 'b', 'amount': '1.000 HBD',"
        " 'memo': ''}),), 1, 2, 3)\n"
        "print(len(signing.Key(PrivateKey('a').wif).sign(made, signing.MAINNET)))\n"
    )
    (tmp_path / "work.py").write_text(work)
    done = subprocess.run(
        [sys.executable, "-c", forbid, str(tmp_path / "work.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "MY_KEY": SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout.strip(), done.stderr) == ("130", "")
