"""The compiled rules, made once per change and kept in pytest's cache.

Compiling takes a minute of a processor, without optimization. The image of the Dockerfile compiles them too: where it was
built first, and its Python is the same version as ours, they are taken from there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

from hatch_build import compile_rules

ROOT: Final = Path(__file__).parents[3]
SUFFIX: Final = str(sysconfig.get_config_var("EXT_SUFFIX"))
MODULES: Final = ("core/state_machine", "store/write/ledger/ledger", "store/write/rows")
_ARE_COMPILED: Final = "from indexer.rules_build import rules_are_compiled as ok; assert ok()"


def kept_rules(config: pytest.Config) -> Path:
    """A folder with the package `settlement`, rules and projector compiled. Raises CannotCompile."""
    return _keep(config, _compile)


def take(config: pytest.Config, installed: Path) -> None:
    """Keep the compiled rules of the packages that are installed in this folder, if they are those of the checkout."""
    sources = sorted((ROOT / "settlement").rglob("*.py"))
    copies = [installed / source.relative_to(ROOT) for source in sources]
    same = all(
        copy.exists() and copy.read_bytes() == source.read_bytes()
        for copy, source in zip(copies, sources, strict=True)
    )
    fits = all((installed / "settlement" / f"{module}{SUFFIX}").exists() for module in MODULES)
    if same and fits and f"mypy=={version('mypy')}" in (ROOT / "requirements-image.lock").read_text():
        try:
            _keep(config, lambda home: _copy(installed, home))
        except (OSError, subprocess.CalledProcessError):
            return  # this machine's libraries may be older than the image's


def environment(home: Path) -> dict[str, str]:
    """The environment of a process that is to use the rules in this folder."""
    return {**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{ROOT}"}


def _keep(config: pytest.Config, make: Callable[[Path], None]) -> Path:
    digest = sha256(f"{sys.version} mypy {version('mypy')}".encode())
    for path in (ROOT / "hatch_build.py", *sorted((ROOT / "settlement").rglob("*.py"))):
        digest.update(path.read_bytes())
    assert config.cache is not None
    kept = config.cache.mkdir("peakedex-compiled")
    home = kept / digest.hexdigest()[:16]
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        if not (home / "complete").exists():
            for older in kept.glob("*/"):
                shutil.rmtree(older)
            home.mkdir()
            make(home)
            (home / "complete").touch()
    return home


def _compile(home: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYC_OPT_LEVEL", "0")
        libraries = compile_rules(ROOT, home)
    for module in MODULES:
        assert Path("settlement", f"{module}{SUFFIX}") in libraries


def _copy(installed: Path, home: Path) -> None:
    shutil.copytree(installed / "settlement", home / "settlement")
    for shared in installed.glob(f"*__mypyc{SUFFIX}"):
        shutil.copy(shared, home)
    subprocess.run([sys.executable, "-c", _ARE_COMPILED], cwd=home, env=environment(home), check=True)
