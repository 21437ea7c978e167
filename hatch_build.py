"""Optional build hook of the wheel: compiles rules and projector with mypyc (docs/developer.md).

Enabled by HATCH_BUILD_HOOK_ENABLE_CUSTOM, which `make wheel-compiled` sets. The wheel holds the sources and
the compiled extension modules; Python imports an extension module before a source file of the same name.
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

PACKAGE = "settlement"
COMPILED = ("core", "store/write/ledger", "store/write/rows.py", "store/write/candles.py")
"""The rules, and what the projector does for each journal line."""
INTERPRETED = ("__init__.py", "events.py", "lines.py", "state_lines.py", "load_rows.py")
"""Stay interpreted: mypyc cannot compile a subclass of str, and drops the annotations of the line kinds.
Loading takes the time of its queries."""


class CannotCompile(Exception):
    """Compiling is not possible: what is missing and how to install it, or the compiler's output."""


class CompiledRules(BuildHookInterface[Any]):
    """Adds the extension modules to the wheel, and the tag of their Python version and platform."""

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
    """Copy the package into `folder` and compile there; returns the extension modules, relative to it.

    MYPYC_OPT_LEVEL (0 to 3) sets the C compiler's optimization level. Raises CannotCompile.
    """
    headers = Path(sysconfig.get_paths()["include"])
    environment = {
        "MYPYC_DEBUG_LEVEL": "0",
        **os.environ,
        **compiler(headers, has_ziglang=find_spec("ziglang") is not None),
    }
    shutil.copytree(root / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    chosen = [folder / PACKAGE / name for name in COMPILED]
    sources = sorted(
        source for path in chosen for source in ([path] if path.is_file() else path.rglob("*.py"))
    )
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


def compiler(headers: Path, *, has_ziglang: bool) -> dict[str, str]:
    """Environment variables that name the C compiler for setuptools: the system's, else that of `ziglang`.

    Raises CannotCompile.
    """
    if not (headers / "Python.h").exists():
        raise CannotCompile("Python's headers are missing (Debian and Ubuntu: apt install python3-dev)")
    if "CC" in os.environ:
        return {}
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return {"CC": name, "LDSHARED": f"{name} -shared"}
    if not has_ziglang:
        raise CannotCompile("no C compiler found: apt install gcc, or pip install ziglang")
    zig = f"{sys.executable} -m ziglang cc"
    return {"CC": zig, "LDSHARED": f"{zig} -shared"}
