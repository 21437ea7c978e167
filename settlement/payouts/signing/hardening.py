"""Process hardening: keeps keys out of core dumps, other processes' reach and the environment.

It does not protect against root or against code in this process. It protects against accidents: crash
reports, backups of `/proc`, child processes that inherit the environment, files that others can read.
"""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import sys
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_STAT: Final = Path("/proc/self/stat")
# Indexes in /proc/self/stat, after the process name, of the initial environment's start and end address.
_ENV_START, _ENV_END = 47, 48

log = logging.getLogger(__name__)


def harden() -> None:
    """Disable core dumps and debugging by other processes; create files with mode 0600."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        log.warning("other processes of this user may read the memory of this one: %s", _last_error())


def take_variables(names: Iterable[str], environ: MutableMapping[str, str] = os.environ) -> dict[str, str]:
    """Read the named variables that are set and not empty, and remove them from the environment.

    The initial environment that the kernel shows in `/proc/PID/environ` is wiped as well.
    """
    texts = {name: environ.pop(name) for name in set(names) if name in environ}
    if environ is os.environ and sys.platform == "linux":
        _wipe([text for text in texts.values() if text])
    return {name: text.strip() for name, text in sorted(texts.items()) if text.strip()}


def _wipe(texts: Iterable[str]) -> None:
    try:
        fields = _STAT.read_text("ascii", "replace").rpartition(")")[2].split()
        start, end = int(fields[_ENV_START]), int(fields[_ENV_END])
    except (OSError, ValueError, IndexError):
        start = end = 0
    if not 0 < start < end:
        log.warning("the initial environment of this process cannot be wiped: mount /proc with hidepid=2")
        return
    block = (ctypes.c_char * (end - start)).from_address(start)
    for text in texts:
        raw = os.fsencode(text)
        at = block.raw.find(b"=" + raw + b"\0")
        while at >= 0:
            ctypes.memset(start + at + 1, 0, len(raw))
            at = block.raw.find(b"=" + raw + b"\0")


def _last_error() -> str:
    return os.strerror(ctypes.get_errno())
