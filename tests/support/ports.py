"""TCP ports of the loopback interface for servers that tests start."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

_RANGE: Final = range(20_000, 32_000)
"""Below the ports that kernels choose for outgoing connections and for servers without one (Linux: from 32768, others:
from 49152): no other test gets one of ours while the server that shall listen there is still starting."""
_claims: Final[list[int]] = []
"""Descriptors of locked files, open until this process ends."""


def free_port() -> int:
    """A port that no process listens on now, and that no other test process is given while this one lives."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ports, each as `free_port` gives one."""
    found: list[int] = []
    for port in random.SystemRandom().sample(_RANGE, len(_RANGE)):
        if len(found) == count:
            break
        if _is_free(port) and _claim(port):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def _claim(port: int) -> bool:
    """Lock the file that stands for a port among all test processes of this machine."""
    folder = Path(tempfile.gettempdir(), f"peakedex-test-ports-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    _claims.append(descriptor)
    return True
