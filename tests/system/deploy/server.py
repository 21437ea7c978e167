"""Runs the deploy scripts into a folder (`--root`), from a small checkout.

Three parts are simulated. Creating an environment (`python -m venv`, `pip`) copies the checkout's `program.sh` as
`peakedex`, which runs this repository's code or fails. `systemctl` records its arguments. The API of the health check
after a switch is this process; it reads the link `current` to know which version runs.

As root, the services' users are created in the folder's own `etc/passwd`, and the scripts really act as them.
"""

from __future__ import annotations

import http.server
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.support import warm_program
from tests.support.shared_python import shared_python
from tests.system.cli.command import clean_environment
from tests.system.store.chains import VENUE_TEXT

ROOT: Final = Path(__file__).parents[3]
NAME: Final = "dex.example.org"

IS_ROOT: Final = os.getuid() == 0
USERS: Final = ("peakedex-indexer", "peakedex-api", "peakedex-payouts", "peakedex-backup")

LATER_REVISION: Final = '''"""A later schema."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("payout_later", sa.Column("a", sa.Integer, primary_key=True))
'''
# The program of a version that works, and of one whose API does not start. The scripts clear the environment, so names
# in capital letters are replaced when the file is written.
WORKS: Final = """#!/bin/sh
echo "peakedex $*" >> "@LOG@"
exec "@PEAKEDEX@" "$@"
"""
MUTE: Final = """#!/bin/sh
echo "peakedex $*" >> "@LOG@"
if [ "$1" = serve ]; then exit 1; fi
exec "@PEAKEDEX@" "$@"
"""
PYTHON: Final = """#!/bin/sh
if [ "$1 $2 $3" = "-I -m venv" ]; then
    mkdir -p "$4/bin"
    cp "@CHECKOUT@/program.sh" "$4/bin/peakedex"
    printf '#!/bin/sh\\necho "python $*" >> "@LOG@"\\n[ ! -e "@ROOT@/offline" ]\\n' > "$4/bin/python"
    chmod 755 "$4/bin/peakedex" "$4/bin/python"
    exit
fi
exec @PYTHON@ "$@"
"""
SYSTEMCTL: Final = """#!/bin/sh
echo "systemctl $*" >> "@LOG@"
case "$*" in
    *is-enabled*) exit 1 ;;
    *SubState*)
        failing=$(cat "@ROOT@/failing" 2>/dev/null)
        if [ "$(readlink "@ROOT@/opt/peakedex/current")" = "versions/$failing" ]; then
            echo auto-restart
        else
            echo running
        fi ;;
esac
"""
NGINX: Final = """#!/bin/sh
echo "nginx $*" >> "@LOG@"
"""


def shell_environment() -> dict[str, str]:
    """The environment without our settings, in a language that every machine has: bash warns of others."""
    return {**clean_environment(), "LC_ALL": "C.UTF-8"}


@dataclass
class Done:
    """Result of a run of the script; `did` lists the commands of other programs, in order."""

    code: int
    out: str
    err: str
    did: list[str]

    def at(self, words: str) -> int:
        """Index in `did` of the only command that starts with these words."""
        [place] = [number for number, line in enumerate(self.did) if line.startswith(words)]
        return place


@dataclass
class Machine:
    """An empty root folder, a checkout, and the programs that the script runs."""

    folder: Path
    sick: set[str] = field(default_factory=set)
    """Versions whose API reports a broken database. That of the version in the file `failing` restarts for ever."""
    health: str = ""

    def __post_init__(self) -> None:
        self.root, self.checkout = self.folder / "root", self.folder / "checkout"
        self._programs, self.log = self.folder / "programs", self.folder / "log"
        (self.root / "etc").mkdir(parents=True)
        self._programs.mkdir()
        self.log.touch()
        self.log.chmod(0o666)  # the services' users write to it
        if IS_ROOT:
            for name in ("passwd", "group", "shadow", "gshadow"):  # the script adds its users to these
                shutil.copy(Path("/etc") / name, self.root / "etc" / name)
        warm_program.program(self._programs).rename(self._programs / "peakedex-now")
        for name, text in (("python3", PYTHON), ("systemctl", SYSTEMCTL), ("nginx", NGINX)):
            self._write_program(self._programs / name, text)
        (self.folder / "venue.toml").write_text(VENUE_TEXT)
        self._write_checkout()

    def _write_checkout(self) -> None:
        """A checkout with a file of each kind that belongs to a version."""
        shutil.copytree(
            ROOT / "deploy", self.checkout / "deploy", ignore=shutil.ignore_patterns("vendor", "__pycache__")
        )
        shutil.copytree(ROOT / "frontend", self.checkout / "frontend")
        clients = ("clients/python", "clients/ccxt")
        for name in ("settlement/core", "indexer", "api", "alembic/versions", "venues", *clients):
            (self.checkout / name).mkdir(parents=True)
        (self.checkout / "pyproject.toml").write_text('[project]\nversion = "1.0.0"\n')
        (self.checkout / "requirements-server.lock").write_text("nothing==1 --hash=sha256:00\n")
        (self.checkout / "alembic/versions/0001.py").write_text("first\n")
        self.program(WORKS)

    def program(self, text: str) -> None:
        """Set the program of later versions."""
        self._write_program(self.checkout / "program.sh", text)

    def _write_program(self, path: Path, text: str) -> None:
        for name, value in (
            ("LOG", self.log),
            ("ROOT", self.root),
            ("PEAKEDEX", self._programs / "peakedex-now"),
            ("CHECKOUT", self.checkout),
            ("PYTHON", shlex.quote(shared_python())),
        ):
            text = text.replace(f"@{name}@", str(value))
        path.write_text(text)
        path.chmod(0o755)

    def change(self, *, tables: bool = False) -> None:
        """Make the checkout another version, optionally with another schema."""
        path = self.checkout / ("alembic/versions/0002.py" if tables else "settlement/core/state_machine.py")
        path.write_text(path.read_text() + "more\n" if path.exists() else "new\n")

    def run(
        self,
        *words: object,
        script: str = "deploy-simple.sh",
        cwd: Path | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
        terminal: int | None = None,
    ) -> Done:
        """Run the script with these words, optionally in a session of this terminal."""
        self.log.write_text("")
        done = subprocess.run(
            [
                *(() if terminal is None else ("setsid", "--ctty", "--wait")),
                *self.command(*words, script=script),
            ],
            env={**self.environment(), **environment},
            cwd=cwd,
            stdin=terminal,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return Done(done.returncode, done.stdout, done.stderr, self.log.read_text().splitlines())

    def command(self, *words: object, script: str) -> list[str]:
        """The script with these words, `--root` and `--health-url`."""
        path = self.checkout / "deploy" / script
        return [str(path), "--root", str(self.root), "--health-url", self.health, *map(str, words)]

    def environment(self) -> dict[str, str]:
        """The environment of the scripts: this machine's programs come first."""
        return {**shell_environment(), "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}"}

    def install(self, *words: object, **options: Any) -> Done:
        venue = self.folder / "venue.toml"
        return self.run("--name", NAME, "--venue", venue, "--health-seconds", 120, *words, **options)

    def uid(self, user: str) -> int:
        """ID of one of the services' users."""
        lines = (self.root / "etc/passwd").read_text().splitlines()
        return next(int(line.split(":")[2]) for line in lines if line.startswith(f"{user}:"))

    def version(self, link: str = "current") -> str | None:
        """The version that a link points to."""
        path = self.root / "opt/peakedex" / link
        return path.readlink().name if path.is_symlink() else None

    @property
    def database(self) -> Path:
        return self.root / "var/lib/peakedex/peakedex.db"


@contextmanager
def machine() -> Iterator[Machine]:
    """A machine in a temporary folder that every user may enter, and the API of its health checks."""
    with tempfile.TemporaryDirectory(prefix="peakedex-deploy-") as folder:
        Path(folder).chmod(0o755)
        here = Machine(Path(folder))
        with _api(here):
            yield here


@contextmanager
def _api(here: Machine) -> Iterator[None]:

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(
                {"database": "broken" if here.version() in here.sick else "ok", "block": 7}
            ).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here.health = f"http://127.0.0.1:{server.server_port}/api/health"
        yield
        server.shutdown()
