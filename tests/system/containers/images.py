"""Builds the images of the Dockerfile without a daemon: buildah, each RUN line in a chroot.

No image registry can be reached from a test, so the base is a stand-in: Debian 12 with its Python 3.11, made of Debian's
packages. It is kept with the layers in /var/tmp, for the next run. Needs root, and Debian's buildah and mmdebstrap, which
`make containers` installs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
STORE: Final = Path("/var/tmp/peakedex-test-images")
CURE: Final = "the images are built as root with Debian's buildah and mmdebstrap: make containers"
PACKAGES: Final = ("buildah", "mmdebstrap", "util-linux", "iproute2")
PROGRAMS: Final = ("buildah", "mmdebstrap", "unshare", "nsenter", "ip")
_BASE: Final = "localhost/peakedex-base-1"  # another number for another stand-in
_PACKAGES: Final = "python3,python3-venv,libpython3.11-dev,ca-certificates"
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_MOST_LAYERS: Final = 120
_TRIES: Final = 2  # a download may fail
_SECONDS: Final = 1500


def why_not() -> str:
    """Why images cannot be built here; empty if they can."""
    if os.getuid() != 0 or any(shutil.which(name) is None for name in PROGRAMS):
        return CURE
    own = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, check=False)
    return (
        ""
        if own.returncode == 0
        else "the images are built and run in namespaces, which this machine forbids"
    )


def buildah(*words: object, **options: Any) -> str:
    """Output of a buildah command. Raises AssertionError with its messages."""
    done = subprocess.run(
        command(*words), capture_output=True, text=True, timeout=_SECONDS, check=False, **options
    )
    assert done.returncode == 0, f"buildah {words[0]}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return str(done.stdout).strip()


def command(*words: object) -> list[str]:
    places = ("--root", STORE / "root", "--runroot", STORE / "run")
    return list(map(str, ("buildah", *places, *words)))


def make_base() -> None:
    """Make the stand-in of the base. Raises CalledProcessError if Debian's packages cannot be had."""
    if buildah("images", "--quiet", "--filter", f"reference={_BASE}"):
        return
    archive = STORE / "base.tar"
    quiet = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={_PACKAGES}", *quiet, "bookworm", archive],
        check=True,
        timeout=_SECONDS,
    )
    with container("scratch") as base:
        buildah("add", base, archive, "/")
        # The machine may reach the registries through a proxy with a certificate of its own.
        pip = STORE / "pip.conf"
        pip.write_text(f"[global]\ncert = {_CERTIFICATES}\n")
        buildah("copy", base, pip, "/etc/pip.conf")
        buildah("copy", base, _CERTIFICATES, _CERTIFICATES)
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        buildah("config", "--env", path, "--env", f"NODE_EXTRA_CA_CERTS={_CERTIFICATES}", base)
        buildah("commit", "--quiet", base, _BASE)
    archive.unlink()


def build(target: str) -> str:
    """Build a target of the Dockerfile; returns the image's name. The rules are compiled without optimization."""
    name = f"localhost/peakedex-test-{target}"
    arguments = ("--build-arg", f"BASE={_BASE}", "--build-arg", "MYPYC_OPT_LEVEL=0", "--target", target)
    ways = ("--isolation", "chroot", "--network", "host", "--layers", "--pull-never", "--quiet")
    for attempt in range(_TRIES):
        try:
            buildah("build", *ways, *arguments, "--tag", name, ".", cwd=ROOT)
            break
        except AssertionError:
            if attempt == _TRIES - 1:
                raise
    return name


def forget_old_layers() -> None:
    """Begin anew once the layers of many builds have piled up."""
    if len(buildah("images", "--all", "--quiet").split()) > _MOST_LAYERS:
        buildah("rm", "--all")
        buildah("rmi", "--all", "--force")


@contextmanager
def container(image: str) -> Iterator[str]:
    """A working container of this image."""
    name = buildah("from", "--pull-never", image)
    try:
        yield name
    finally:
        buildah("rm", name)
