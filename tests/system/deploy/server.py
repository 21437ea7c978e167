"""The deploy scripts run for real, into a folder: on a small checkout, with a program for each version.

Only three things are not real. Making an environment (`python -m venv`, `pip`) copies the checkout's own
`program.sh` as `peakedex`, which speaks to this repository's code or fails as a test wants it to. `systemctl`
writes down what it is asked. The API that is asked after a switch is this process, which knows by the link
`current` which version runs, and which of them are sick.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support import warm_program as quick
from tests.system.cli.command import clean_environment
from tests.system.store.chains import VENUE_TEXT

ROOT: Final = Path(__file__).parents[3]
NAME: Final = "dex.example.org"

# The program of a version that works, and of one whose API does not start.
WORKS: Final = """#!/bin/sh
echo "peakedex $*" >> "$PEAKEDEX_TEST_LOG"
exec "$PEAKEDEX_TEST_QUICK" "$@"
"""
MUTE: Final = """#!/bin/sh
echo "peakedex $*" >> "$PEAKEDEX_TEST_LOG"
if [ "$1" = serve ]; then exit 1; fi
exec "$PEAKEDEX_TEST_QUICK" "$@"
"""
PYTHON: Final = f"""#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    cp "$PEAKEDEX_TEST_CHECKOUT/program.sh" "$3/bin/peakedex"
    printf '#!/bin/sh\\necho "python $*" >> "$PEAKEDEX_TEST_LOG"\\n' > "$3/bin/python"
    chmod 755 "$3/bin/peakedex" "$3/bin/python"
    exit
fi
exec {sys.executable} "$@"
"""
SYSTEMCTL: Final = """#!/bin/sh
echo "systemctl $*" >> "$PEAKEDEX_TEST_LOG"
case "$*" in
    *is-enabled*) exit 1 ;;
esac
"""
NGINX: Final = """#!/bin/sh
echo "nginx $*" >> "$PEAKEDEX_TEST_LOG"
"""


@dataclass
class Done:
    """What a run of the script came to; `did` is what it asked of other programs, in order."""

    code: int
    out: str
    err: str
    did: list[str]

    def at(self, words: str) -> int:
        """The place in `did` of the one thing that begins so."""
        [place] = [number for number, line in enumerate(self.did) if line.startswith(words)]
        return place


@dataclass
class Machine:
    """An empty root, a checkout, and the programs that the script finds."""

    folder: Path
    sick: set[str] = field(default_factory=set)
    """Versions whose API answers that it cannot read the database, once they run."""
    health: str = ""

    def __post_init__(self) -> None:
        self.root, self.checkout = self.folder / "root", self.folder / "checkout"
        self._programs, self._log = self.folder / "programs", self.folder / "log"
        (self.root / "etc").mkdir(parents=True)
        self._programs.mkdir()
        quick.program(self._programs).rename(self._programs / "quick")
        for name, text in (("python3", PYTHON), ("systemctl", SYSTEMCTL), ("nginx", NGINX)):
            (self._programs / name).write_text(text)
            (self._programs / name).chmod(0o755)
        if os.getuid() == 0:  # users are made in these
            for name in ("passwd", "group", "shadow", "gshadow"):
                shutil.copy(Path("/etc") / name, self.root / "etc" / name)
        (self.folder / "venue.toml").write_text(VENUE_TEXT)
        self._furnish()

    def _furnish(self) -> None:
        """A checkout with a file of each kind that makes a version."""
        shutil.copytree(
            ROOT / "deploy", self.checkout / "deploy", ignore=shutil.ignore_patterns("vendor", "__pycache__")
        )
        shutil.copytree(ROOT / "frontend", self.checkout / "frontend")
        for name in ("settlement/core", "indexer", "api", "alembic/versions", "venues"):
            (self.checkout / name).mkdir(parents=True)
        (self.checkout / "pyproject.toml").write_text('[project]\nversion = "1.0.0"\n')
        (self.checkout / "requirements-server.lock").write_text("nothing==1 --hash=sha256:00\n")
        (self.checkout / "alembic/versions/0001.py").write_text("first\n")
        self.program(WORKS)

    def program(self, text: str) -> None:
        """The program of the versions to come."""
        (self.checkout / "program.sh").write_text(text)

    def change(self, *, tables: bool = False) -> None:
        """The checkout becomes another version, perhaps with other tables."""
        path = self.checkout / ("alembic/versions/0002.py" if tables else "settlement/core/state_machine.py")
        path.write_text(path.read_text() + "more\n" if path.exists() else "new\n")

    def run(self, *words: object, script: str = "deploy-simple.sh") -> Done:
        """Run the script with these words; `--root` and where to ask for health are given."""
        self._log.write_text("")
        environment = clean_environment() | {
            "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PEAKEDEX_TEST_LOG": str(self._log),
            "PEAKEDEX_TEST_QUICK": str(self._programs / "quick"),
            "PEAKEDEX_TEST_CHECKOUT": str(self.checkout),
        }
        done = subprocess.run(
            [
                self.checkout / "deploy" / script,
                "--root",
                self.root,
                "--health-url",
                self.health,
                *map(str, words),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Done(done.returncode, done.stdout, done.stderr, self._log.read_text().splitlines())

    def install(self, *words: object, script: str = "deploy-simple.sh") -> Done:
        venue = self.folder / "venue.toml"
        return self.run("--name", NAME, "--venue", venue, "--health-seconds", 20, *words, script=script)

    def version(self, link: str = "current") -> str | None:
        """The version that a link names."""
        path = self.root / "opt/peakedex" / link
        return path.readlink().name if path.is_symlink() else None

    @property
    def database(self) -> Path:
        return self.root / "var/lib/peakedex/peakedex.db"


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A machine, and the API that it asks after a switch."""
    here = Machine(folder)

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
        yield here
        server.shutdown()
