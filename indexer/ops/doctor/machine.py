"""Checks of the machine: versions, free disk space, and the clock."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from indexer.ops.doctor.findings import Finding, duration, fatal, ok, warn
from indexer.rules_build import name_of_build

PACKAGE: Final = "peakedex"
PYTHON: Final = (3, 11)
SQLITE: Final = (3, 24, 0)
"""For upserts. The SQLite version depends on how Python was built."""
_LITTLE_BYTES: Final = 2 << 30
_TOO_LITTLE_BYTES: Final = 200 << 20
_OFF_SECONDS: Final = 15
_FAR_OFF_SECONDS: Final = 120

_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9._-]+)\s*([^;]*)(;.*)?")
_BOUND: Final = re.compile(r"(>=|<)\s*([0-9.]+)")
_NUMBER: Final = re.compile(r"[0-9]+")

Version = tuple[int, ...]


def versions() -> Iterator[Finding]:
    """Python, SQLite, and the installed packages."""
    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON:
        yield fatal("python", f"Python {python}", "install Python 3.11 or newer")
    else:
        yield ok("python", f"Python {python}")
    sqlite = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < SQLITE:
        needed = ".".join(map(str, SQLITE))
        yield fatal("sqlite", sqlite, f"use a Python built with SQLite {needed} or newer")
    else:
        yield ok("sqlite", sqlite)
    yield from packages()


def packages() -> Iterator[Finding]:
    """Required packages, by the version ranges in our metadata."""
    cure = "reinstall (`make install`, or `pip install --upgrade peakedex`)"
    try:
        required = metadata.requires(PACKAGE) or []
        own = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        yield warn("packages", "peakedex runs without being installed: its packages cannot be checked", cure)
        return
    wrong = [problem for problem in map(_problem, required) if problem]
    for problem in wrong:
        yield fatal("packages", problem, cure)
    if not wrong:
        yield ok("packages", f"peakedex {own} ({name_of_build()}) and its required packages")


def _problem(requirement: str) -> str | None:
    """The problem with one requirement; None for none, and for those of extras."""
    found = _REQUIREMENT.match(requirement)
    if found is None or (found[3] and "extra" in found[3]):
        return None
    name = found[1]
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    have = _version(installed)
    for sign, bound in _BOUND.findall(found[2]):
        if (have >= _version(bound)) != (sign == ">="):
            return f"{name} {installed} is installed, {found[2].strip()} is required"
    return None


def _version(text: str) -> Version:
    """The release numbers at the start of a version."""
    numbers: list[int] = []
    for part in text.split("."):
        found = _NUMBER.match(part)
        if found is None:
            break
        numbers.append(int(found[0]))
    return tuple(numbers)


def disk(folder: Path) -> Finding:
    """Free disk space for the database."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return fatal("disk", f"{folder}: {error.strerror}", "create the folder, or correct --db")
    text = f"{free / (1 << 30):.1f} GB free for the database"
    if free < _TOO_LITTLE_BYTES:
        return fatal("disk", text, "free disk space: the indexer stops when the disk is full")
    if free < _LITTLE_BYTES:
        return warn("disk", text, "free disk space soon")
    return ok("disk", text)


def clock(now: float, head_time: int) -> Finding:
    """The clock, compared with the time of the newest block of the nodes."""
    off = now - head_time
    if abs(off) <= _OFF_SECONDS:
        return ok("clock", "the clock and the chain's newest block agree")
    if off < 0:
        text = f"the clock is {duration(off)} behind the chain's newest block"
        cure = "set the clock (NTP): ages and alarms are wrong until then"
    else:
        text = f"the chain's newest block is {duration(off)} old by this clock"
        cure = "set the clock (NTP); if it is right, the chain or all given nodes have stopped"
    return (fatal if abs(off) > _FAR_OFF_SECONDS else warn)("clock", text, cure)
