"""TCP ports of the loopback interface for servers that tests start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port that no process listens on now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ports that no process listens on now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
