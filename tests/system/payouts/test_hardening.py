"""Keys leave no trace outside the process that uses them. Its unit: `tests/system/deploy/test_units.py`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from settlement.payouts.signing.hardening import take_variables

ROOT = Path(__file__).parents[3]
SECRET = "5Jsecretsecretsecretsecretsecretsecretsecretsecrets"


def run(program: str, folder: Path) -> list[str]:
    """Output of a process with a key in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "MY_KEY": SECRET, "YOUR_KEY": f"  {SECRET}\t", "OTHER": "kept"},
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    return done.stdout.splitlines()


def test_a_key_is_in_no_environment_once_it_is_read(tmp_path: Path) -> None:
    said = run(
        "import os, subprocess, sys\n"
        "from settlement.payouts.signing.hardening import take_variables\n"
        "first = open('/proc/self/environ', 'rb').read()\n"
        "print(take_variables(['MY_KEY', 'YOUR_KEY', 'NO_KEY'])['YOUR_KEY'])\n"
        "after = open('/proc/self/environ', 'rb').read()\n"
        "child = subprocess.run([sys.executable, '-c', 'import os; print(dict(os.environ))'],"
        " capture_output=True).stdout\n"
        "print(*(b'5Jsecret' in text for text in (first, after, child, repr(os.environ).encode())))\n"
        "print(b'OTHER=kept' in after, len(first) == len(after), take_variables(['MY_KEY']))\n",
        tmp_path,
    )
    assert said == [SECRET, "True False False False", "True True {}"]


def test_the_process_cannot_be_dumped_or_read_and_its_files_are_its_own(tmp_path: Path) -> None:
    said = run(
        "import ctypes, resource\n"
        "from settlement.payouts.signing.hardening import harden\n"
        "harden()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
        "open('written', 'w').close()\n",
        tmp_path,
    )
    assert said == ["(0, 0) 0"]
    assert stat.S_IMODE((tmp_path / "written").stat().st_mode) == 0o600


def test_taken_variables_are_removed_from_any_mapping() -> None:
    environ = {"A": " one ", "B": "", "C": "  ", "D": "kept"}
    assert take_variables(["A", "B", "C", "X"], environ) == {"A": "one"}
    assert environ == {"D": "kept"}


def test_the_program_runs_without_memory_that_is_written_and_executed(tmp_path: Path) -> None:
    """As the unit's MemoryDenyWriteExecute requires, by the kernel's switch for a process."""
    forbid = (
        "import ctypes, os, sys\n"
        "ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    work = (
        "from settlement.net.chain_id import MAINNET\n"
        "from settlement.payouts import runner\n"
        "from settlement.payouts.signing import hardening, transactions\n"
        "hardening.harden()\n"
        "hardening.take_variables(['MY_KEY'])\n"
        "from indexer.devnet.hive.keys import PrivateKey\n"
        "made = transactions.Transaction((('transfer', {'from': 'a', 'to': 'b', 'amount': '1.000 HBD',"
        " 'memo': ''}),), 1, 2, 3)\n"
        "print(len(transactions.Key(PrivateKey('a').wif).sign(made, MAINNET)))\n"
    )
    (tmp_path / "work.py").write_text(work)
    done = subprocess.run(
        [sys.executable, "-c", forbid, str(tmp_path / "work.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "MY_KEY": SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (done.stdout.strip(), done.stderr) == ("130", "")
