"""Prefork server for the `peakedex` program: saves the second of imports that each start costs.

`program(folder)` makes an executable `peakedex` there. It hands its arguments, working folder, environment, umask and
open files to the server, which forks a child for them, and ends with the child's exit code. When the client ends, so
does the child. Where root is the server, other users can be clients: the child has the client's user and groups.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NoReturn

from tests.support.shared_python import CHECKOUT, PACKAGES, shared_python

CLIENT = """#!/bin/sh
'''exec' {python} -IS "$0" "$@"
'''  # for sh, as a path with spaces cannot stand in the first line
import json, os, socket, sys
warm = socket.socket(socket.AF_UNIX)
warm.connect({address!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ), os.umask(0), os.getgroups()]).encode()
socket.send_fds(warm, [len(asked).to_bytes(4, "big")], [0, 1, 2])
warm.sendall(asked)
code = warm.recv(1)
sys.exit(code[0] if code else 70)
"""


def program(folder: Path) -> Path:
    """The executable `peakedex` in a folder."""
    path = folder / "peakedex"
    path.write_text(CLIENT.format(python=shlex.quote(_interpreter()), address=_warm()))
    path.chmod(0o755)
    return path


def _interpreter() -> str:
    """Python for server and client: if we are root, one that other users can run too."""
    return shared_python() if os.getuid() == 0 else sys.executable


@cache
def _warm() -> str:
    """The address of this process's server, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="peakedex-quick-")
    Path(folder.name).chmod(0o755)
    address = f"{folder.name}/warm"
    process = subprocess.Popen(
        [_interpreter(), "-m", "tests.support.warm_program", address],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": PACKAGES},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"warm\n"
    atexit.register(folder.cleanup)
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    return address


def _serve(address: str) -> None:
    """Fork a child for each client, until standard input ends."""
    import api.app  # noqa: F401
    import indexer.cli  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the exit code of the first fork is not used
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    os.chmod(address, 0o777)
    listener.listen(16)
    print("warm", flush=True)
    while True:
        readable, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in readable:
            return
        client, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            _answer(client)
        client.close()


def _answer(client: socket.socket) -> NoReturn:
    """Run one command in a child and send its exit code to the client."""
    head, files, _, _ = socket.recv_fds(client, 4, 3)
    asked = b""
    while len(asked) < int.from_bytes(head, "big"):
        asked += client.recv(1 << 16)
    arguments, folder, environment, umask, groups = json.loads(asked)
    child = os.fork()
    if child == 0:
        os.chdir(folder)  # which the user may not be able to enter
        _become(client, groups)
        client.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        os.umask(umask)
        os.environ.clear()
        os.environ.update(environment)
        from indexer.cli import main

        main(arguments, prog_name="peakedex")
    for file in files:
        os.close(file)
    ended, status = 0, 0
    while not ended:
        if select.select([client], [], [], 0.02)[0]:  # the client is gone
            os.kill(child, signal.SIGTERM)
            ended, status = os.waitpid(child, 0)
        else:
            ended, status = os.waitpid(child, os.WNOHANG)
    with suppress(BrokenPipeError):
        client.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os._exit(0)


def _become(client: socket.socket, groups: list[int]) -> None:
    """Take the client's user and groups, which the kernel vouches for but for the further groups."""
    if os.getuid() == 0:
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, user, group = struct.unpack("3i", credentials)
        os.setgroups(groups)
        os.setgid(group)
        os.setuid(user)


if __name__ == "__main__":
    _serve(sys.argv[1])
