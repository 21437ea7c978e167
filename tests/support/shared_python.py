"""A Python interpreter, and a `peakedex` program, that other users of this machine can run too."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGES = f"{CHECKOUT}{os.pathsep}{sysconfig.get_path('purelib')}"
"""PYTHONPATH of this checkout."""


@cache
def shared_python() -> str:
    """The path of an interpreter of this version. Skips the test if root has none to share."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        path = Path(candidate).resolve()
        if not path.exists() or (os.getuid() == 0 and not _all_may_enter(path.parent)):
            continue
        version = subprocess.check_output(
            [candidate, "-c", "import sys; print(sys.version_info[:2])"], text=True
        )
        if version.strip() == str(sys.version_info[:2]):
            return candidate
    pytest.skip(
        f"other users cannot run this interpreter, and /usr/bin/python3 is not Python {sys.version[:4]}"
    )


def write_program(path: Path) -> Path:
    """Write an executable that runs the `peakedex` command of this checkout."""
    command = "from indexer.cli import main; main(prog_name='peakedex')"
    python = shlex.quote(shared_python())
    path.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(PACKAGES)} exec {python} -sc "{command}" "$@"\n')
    path.chmod(0o755)
    return path


def _all_may_enter(folder: Path) -> bool:
    return all(each.stat().st_mode & 0o005 == 0o005 for each in (folder, *folder.parents))
