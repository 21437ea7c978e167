"""The optional build step of the wheel: the rules compiled with mypyc (docs/developer.md, "Compiled rules").

Off unless HATCH_BUILD_HOOK_ENABLE_CUSTOM is set, as `make wheel-compiled` does. The sources go into the wheel
as they are, and the libraries beside them: Python takes a library before a source of the same name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "settlement/core"
INTERPRETED = ("__init__.py", "events.py")
"""NamedTuples and a subclass of str, which mypyc leaves to the interpreter."""


class CannotCompile(Exception):
    """Something that this machine lacks, and where to get it; or what the compiler said."""


class CompiledRules(BuildHookInterface[Any]):
    """Adds the libraries to the wheel, and the tag of the Python and machine that they are for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":  # runs from the sources
            return
        self._folder = tempfile.TemporaryDirectory()
        for library in compile_rules(Path(self.root), Path(self._folder.name)):
            build_data["force_include"][str(Path(self._folder.name) / library)] = str(library)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self._folder.cleanup()


def compile_rules(root: Path, folder: Path) -> list[Path]:
    """Copy the pure rules into `folder` and compile them there; the libraries, relative to it.

    MYPYC_OPT_LEVEL (0 to 3) trades the compiler's time for speed. Raises CannotCompile.
    """
    environment = {"MYPYC_DEBUG_LEVEL": "0", **os.environ, **compiler()}
    shutil.copytree(root / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "settlement" / "__init__.py", folder / "settlement")
    sources = sorted((folder / PACKAGE).rglob("*.py"))
    modules = [str(s.relative_to(folder)) for s in sources if s.name not in INTERPRETED]
    run = subprocess.run(
        [sys.executable, "-m", "mypyc", *modules],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise CannotCompile(f"mypyc failed:\n{run.stdout}{run.stderr}")
    for leftover in ("build", ".mypy_cache"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return sorted(path.relative_to(folder) for path in folder.rglob(f"*{suffix}"))


def compiler() -> dict[str, str]:
    """The C compiler as setuptools wants it named: the machine's, else that of the package `ziglang`.

    Raises CannotCompile.
    """
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        raise CannotCompile("Python's headers are missing (Debian and Ubuntu: apt install python3-dev)")
    if "CC" in os.environ:
        return {}
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return {"CC": name, "LDSHARED": f"{name} -shared"}
    if find_spec("ziglang") is None:
        raise CannotCompile("there is no C compiler: apt install gcc, or pip install ziglang")
    zig = f"{sys.executable} -m ziglang cc"
    return {"CC": zig, "LDSHARED": f"{zig} -shared"}
