"""A server: Debian 12 with systemd, PostgreSQL 15 and nginx, booted in a container by systemd-nspawn.

Its file system is an overlay over a base made of Debian's packages, which stays in /var/tmp for the next run, as do the
wheels that a release installs. It has no network but its own loopback interface, where the devnet listens. Needs root, and
Debian's systemd-container and mmdebstrap, which `make containers` installs.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.support.waiting import wait_until

ROOT: Final = Path(__file__).parents[3]
STORE: Final = Path("/var/tmp/peakedex-test-systemd")
CURE: Final = "the server is booted as root with Debian's systemd-container and mmdebstrap: make containers"
PACKAGES: Final = ("systemd-container", "mmdebstrap", "util-linux")
PROGRAMS: Final = ("systemd-nspawn", "mmdebstrap", "unshare", "nsenter", "setpriv")
PATIENCE_SECONDS: Final = 240.0
"""Longer than any step takes on a busy machine but an installation."""
INSTALL_SECONDS: Final = 1200
_BASE: Final = STORE / "base-1"  # another number for other packages
_INCLUDED: Final = (
    "systemd,systemd-sysv,dbus,sudo,procps,logrotate,openssl,ca-certificates,"
    "python3,python3-venv,nginx,postgresql"
)
_RESTART: Final = 133
"""Exit code of nspawn when the system inside wants to be started again."""
# systemd needs the unified hierarchy. The machine's own may be another one, so it is mounted where only nspawn sees it.
_BOOT: Final = """set -e
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -l /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn  # at its end nspawn removes a folder in it, and refuses that on a disk
touch /run/systemd/nspawn/network
mount --bind "/proc/$2/ns/net" /run/systemd/nspawn/network
mount -t proc proc /proc  # of the process namespace in which nspawn is the first, so that all in it ends with it
exec systemd-nspawn --quiet --directory="$1" --boot --register=no --keep-unit --machine=dex \
    --network-namespace-path=/run/systemd/nspawn/network --bind-ro="$3:/wheels" --console=pipe
"""


def why_not() -> str:
    """Why no server can be booted here; empty if one can."""
    if os.getuid() != 0 or any(shutil.which(name) is None for name in PROGRAMS):
        return CURE
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        return "the server's file system is an overlay, which this kernel does not have"
    with tempfile.TemporaryDirectory() as folder:
        words = ["unshare", "--net", "--mount", "mount", "-t", "cgroup2", "cgroup2", folder]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            return "the server is booted in namespaces with control groups, which this machine forbids"
    return ""


def prepare() -> None:
    """Make the base and fetch the wheels, once. Raises CalledProcessError if they cannot be had."""
    STORE.mkdir(exist_ok=True)
    with (STORE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _BASE.exists():
            _make_base()
        _fetch_wheels()
        for old in STORE.glob("run-*"):  # of a test that was killed
            if not Path("/proc", old.name.split("-")[1]).exists():
                _unmount(old / "root")
                shutil.rmtree(old)


def _make_base() -> None:
    new = STORE / "base.new"
    shutil.rmtree(new, ignore_errors=True)
    quiet = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    words = [
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={_INCLUDED}",
        *quiet,
        "bookworm",
        str(new),
    ]
    subprocess.run(words, check=True, timeout=INSTALL_SECONDS)
    new.rename(_BASE)


def _fetch_wheels() -> None:
    """The wheels of requirements-server.lock, for the Python of Debian 12."""
    lock, folder = (ROOT / "requirements-server.lock").read_text(), STORE / "wheels"
    kept = folder / "lock"
    if kept.exists() and kept.read_text() == lock:
        return
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--only-binary=:all:"]
    words = [
        "--python-version=3.11",
        "--requirement",
        str(ROOT / "requirements-server.lock"),
        "--dest",
        str(folder),
    ]
    subprocess.run([*pip, *words], check=True, timeout=INSTALL_SECONDS)
    kept.write_text(lock)


class Server:
    """A booted server. `files` is its file system, as seen from outside."""

    def __init__(self, folder: Path, network: int) -> None:
        self.files = folder / "root"
        self._network = network
        self._log = folder / "console"
        self._nspawn: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Start it, and wait until systemd has started everything."""
        boot = ["bash", "-c", _BOOT, "-", str(self.files), str(self._network), str(STORE / "wheels")]
        enter = ["setpriv", "--pdeathsig", "KILL"]
        enter += ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]
        with self._log.open("w") as log:
            self._nspawn = subprocess.Popen(
                [*enter, *boot],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.wait_until_up()

    def wait_until_up(self) -> None:
        up = ("running", "degraded")
        wait_until(
            lambda: self.call("systemctl", "is-system-running").stdout.strip() in up,
            what=lambda: f"a booted system: {self._log.read_text()}",
            timeout=PATIENCE_SECONDS,
        )

    def kill(self) -> None:
        """Pull the plug; returns when everything in it has ended."""
        if self._nspawn is None or self._nspawn.poll() is not None:
            return
        ends = [os.pidfd_open(int(child)) for child in _children(self._nspawn.pid)]
        self._nspawn.kill()
        self._nspawn.wait()
        for end in ends:
            select.select([end], [], [], PATIENCE_SECONDS)
            os.close(end)

    def reboot(self) -> None:
        """Restart the system in an orderly way."""
        assert self._nspawn is not None
        self.call("systemctl", "reboot")
        assert self._nspawn.wait(PATIENCE_SECONDS) == _RESTART, self._log.read_text()
        self.boot()

    @property
    def init(self) -> str:
        """Process id of its systemd, as seen from outside; empty while there is none."""
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, self._log.read_text()
        for nspawn in _children(self._nspawn.pid):
            for child in _children(nspawn):
                return child
        return ""

    def call(
        self, *words: object, user: str = "root", timeout: float = PATIENCE_SECONDS, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the server, as somebody who has logged in."""
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        given = [path, "LANG=C.UTF-8", *(f"{name}={value}" for name, value in environment.items())]
        become = () if user == "root" else ("setpriv", "--init-groups", f"--reuid={user}", f"--regid={user}")
        inside = ["nsenter", f"--target={self.init or 0}", "--all", "env", "-C", "/", "-i", *given, *become]
        return subprocess.run(
            [*inside, *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )

    def run(self, *words: object, user: str = "root", timeout: float = PATIENCE_SECONDS, **env: str) -> str:
        """Output of a command, which must end with 0."""
        done = self.call(*words, user=user, timeout=timeout, **env)
        assert done.returncode == 0, (words, done.stdout[-4000:], done.stderr[-4000:], self.journal()[-6000:])
        return done.stdout

    def sh(self, text: str, user: str = "root", timeout: float = PATIENCE_SECONDS, **env: str) -> str:
        """Output of commands of a document."""
        return self.run("bash", "-euo", "pipefail", "-c", text, user=user, timeout=timeout, **env)

    def journal(self, *words: str) -> str:
        return self.call("journalctl", "--no-pager", "--quiet", "--output=cat", *words).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root's."""
        place = self.files / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def states(self, *units: str) -> dict[str, str]:
        """State of each unit."""
        return dict(zip(units, self.call("systemctl", "is-active", *units).stdout.split(), strict=True))

    def main_process(self, unit: str) -> str:
        return self.run("systemctl", "show", "--value", "--property=MainPID", unit).strip()

    @contextmanager
    def beside(self, *words: object, log: Path) -> Iterator[None]:
        """A process of the testing machine on the server's network."""
        enter = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/proc/{self._network}/ns/net"]
        with log.open("w") as output:
            process = subprocess.Popen(
                [*enter, *map(str, words)], stdout=output, stderr=subprocess.STDOUT, cwd=ROOT
            )
        try:
            yield
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


@contextmanager
def server() -> Iterator[Server]:
    """A freshly installed server, booted."""
    prepare()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=f"run-{os.getpid()}-", dir=STORE))
        stack.callback(shutil.rmtree, folder)
        for name in ("root", "upper", "work"):
            (folder / name).mkdir(mode=0o755)
        options = f"lowerdir={_BASE},upperdir={folder}/upper,workdir={folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder / "root"], check=True)
        stack.callback(_unmount, folder / "root")
        network = stack.enter_context(_network())
        made = Server(folder, network)
        made.write("/etc/pip.conf", "[global]\nno-index = true\nfind-links = /wheels\n")
        made.write("/etc/hostname", "dex\n")
        made.write("/etc/hosts", "127.0.0.1 localhost dex dex.example.org\n")
        stack.callback(made.kill)
        made.boot()
        yield made


def _children(process: int | str) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "--quiet", "--lazy", path], check=False)


@contextmanager
def _network() -> Iterator[int]:
    """A network of its own, of the process with this id. It outlasts a restart of the server."""
    words = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c"]
    with subprocess.Popen(
        [*words, "echo; exec sleep infinity"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()  # it is in the namespace now
        try:
            subprocess.run(
                ["nsenter", f"--net=/proc/{holder.pid}/ns/net", "python3", "-c", _LOOPBACK], check=True
            )
            yield holder.pid
        finally:
            holder.kill()


# Without the package iproute2: the flags of the interface, with IFF_UP.
_LOOPBACK: Final = """import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 1 | 64))
"""


def checkout(target: Path) -> None:
    """Copy what a release has: the tracked files, and the site's libraries of `make site`."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in [*names.decode().split("\0"), *_built()]:
        if name and (ROOT / name).is_file() and not name.startswith(("tests/", "bench/", ".ci/")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def _built() -> list[str]:
    return [
        str(path.relative_to(ROOT)) for path in (ROOT / "frontend" / "vendor").rglob("*") if path.is_file()
    ]
