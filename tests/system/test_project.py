"""The project's own promises: what it locks, what its wheel carries, which way its imports point."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import arrows

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["requirements.lock", "requirements-server.lock", "requirements-image.lock", "requirements-dev.lock"]

# Where a data folder of the repository lies in a wheel: beside the package that reads it.
DATA_FOLDERS = {"alembic": "settlement/store/migrations", "frontend": "api/site"}
DATA_FILES = {"venues/example.toml": "indexer/venues/example.toml"}


def pins(lock: str) -> dict[str, str]:
    """The lock's lines `name==version`, by name."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def lacking(requirements: list[str], lock: str) -> list[str]:
    """The requirements that the lock does not hold, or holds in a version out of range."""
    pinned = pins(lock)
    parsed = [Requirement(text) for text in requirements]
    return [
        str(r) for r in parsed if not r.specifier.contains(pinned.get(canonicalize_name(r.name), "0.dev0"))
    ]


# ---------------------------------------------------------------- locks


def test_lock_holds_every_runtime_dependency() -> None:
    build = PROJECT["build-system"]["requires"]
    assert lacking(PROJECT["project"]["dependencies"] + build, "requirements.lock") == []


def test_server_lock_holds_the_lock_and_every_package_of_its_extras() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    assert lacking(extras["backup"] + extras["parquet"], "requirements-server.lock") == []
    assert pins("requirements.lock").items() <= pins("requirements-server.lock").items()


def test_dev_lock_holds_the_lock_and_every_dev_dependency() -> None:
    assert lacking(PROJECT["project"]["optional-dependencies"]["dev"], "requirements-dev.lock") == []
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_image_lock_holds_the_lock_and_every_package_that_builds_the_image() -> None:
    assert lacking(PROJECT["project"]["optional-dependencies"]["image"], "requirements-image.lock") == []
    assert pins("requirements.lock").items() <= pins("requirements-image.lock").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_index_and_no_place_of_a_machine(lock: str) -> None:
    bad = [
        line
        for line in (ROOT / lock).read_text().splitlines()
        if "://" in line
        or re.match(r"\s*-(?!-hash=sha256:[0-9a-f]{64}\b)", line)
        or re.search(r"(^|[\s=])/", line)
    ]
    assert bad == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_hashes_every_pin(lock: str) -> None:
    blocks = re.split(r"^(?=[A-Za-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins(lock))
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


# ---------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel of this tree, built without a network by the locked backend."""
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-P",
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(out),
        str(ROOT),
    ]
    built = subprocess.run(command, cwd=out, capture_output=True, text=True, check=False, timeout=6000)
    assert built.returncode == 0, built.stdout + built.stderr
    return zipfile.ZipFile(next(out.glob("peakedex-*.whl")))


def data_files() -> dict[str, str]:
    """Path in the repository → path in the wheel."""
    files = dict(DATA_FILES)
    for folder, target in DATA_FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                files[path.relative_to(ROOT).as_posix()] = (
                    f"{target}/{path.relative_to(ROOT / folder).as_posix()}"
                )
    return files


def test_wheel_carries_the_data_beside_the_packages(wheel: zipfile.ZipFile) -> None:
    files = data_files()
    for folder in DATA_FOLDERS:
        assert any(source.startswith(f"{folder}/") for source in files), f"{folder}/ is empty"
    carried = set(wheel.namelist())
    assert {source: target for source, target in files.items() if target not in carried} == {}
    assert wheel.read(DATA_FILES["venues/example.toml"]) == (ROOT / "venues/example.toml").read_bytes()


def test_wheel_carries_the_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    info = f"peakedex-{PROJECT['project']['version']}.dist-info"
    assert tops == {"settlement", "indexer", "api", "peakedex", "peakedex_ccxt", info}
    assert [name for name in wheel.namelist() if "__pycache__" in name] == []
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ("settlement", "indexer", "api")
        for path in (ROOT / package).rglob("*.py")
    }
    for folder, package in (("python", "peakedex"), ("ccxt", "peakedex_ccxt")):
        root = ROOT / "clients" / folder
        modules |= {path.relative_to(root).as_posix() for path in (root / package).rglob("*.py")}
    assert modules <= set(wheel.namelist())
    assert "peakedex/py.typed" in wheel.namelist()


def test_wheel_makes_the_command_and_carries_the_licence(wheel: zipfile.ZipFile) -> None:
    info = f"peakedex-{PROJECT['project']['version']}.dist-info"
    assert "peakedex = indexer.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


# ---------------------------------------------------------------- imports


def test_alembic_is_the_library_from_the_root_of_the_repository() -> None:
    """`python -m` and `python -c` put the root first on the path, where a folder `alembic` lies."""
    program = "import alembic, alembic.command; print(alembic.__version__); print(alembic.__file__)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=600
    )
    version, file = run.stdout.split("\n")[:2]
    assert version
    assert not Path(file).is_relative_to(ROOT / "alembic")
    assert not (ROOT / "alembic" / "__init__.py").exists()


def imported(path: Path) -> Iterator[str]:
    """The top-level names of the absolute imports of a module, wherever in it they stand."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.split(".")[0]


@pytest.mark.parametrize(
    ("package", "third_party"),
    [
        ("settlement", set()),
        ("settlement/net", {"requests", "urllib3", "msgspec"}),
        ("settlement/store", {"sqlalchemy", "alembic", "psycopg"}),
        (
            "settlement/payouts",
            {"beembase", "beemgraphenebase", "coincurve", "msgspec", "sqlalchemy"},
        ),
    ],
)
def test_third_parties_of_a_package(package: str, third_party: set[str]) -> None:
    """The contracts forbid by name; this allows by name, so that a new package cannot slip in."""
    deeper = {"settlement": ("net", "store", "payouts")}.get(package, ())
    allowed = sys.stdlib_module_names | third_party | {"settlement"}
    folder = ROOT / package
    files = [f for f in folder.rglob("*.py") if f.relative_to(folder).parts[0] not in deeper]
    assert files
    assert {(f.name, name) for f in files for name in imported(f) if name not in allowed} == set()


LINT_EACH = """
import json, sys
from pathlib import Path
from importlinter.cli import lint_imports
for files in json.load(sys.stdin):
    for name, text in files.items():
        Path(name).write_text(text)
    print("== tree")
    sys.stdout.flush()
    lint_imports(no_cache=True)
"""


def lint_each(tree: Path, changes: list[dict[str, str]]) -> list[str]:
    """What import-linter says of a tree after each of some changes (texts of files by name), in one process."""
    run = subprocess.run(
        [sys.executable, "-c", LINT_EACH],
        input=json.dumps(changes),
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=6000,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split("== tree\n")[1:]


# A line that must not be written, where it must not be written, and the contracts that say so.
VIOLATIONS = [
    ("settlement/core/state_machine.py", "import time", "core"),
    ("settlement/core/state_machine.py", "import sqlalchemy", "core"),
    ("settlement/core/state_machine.py", "import indexer.chain.blocks", "core"),
    ("settlement/core/state_machine.py", "import api.http.errors", "core api-users"),
    ("settlement/core/state_machine.py", "import settlement.net.backoff", "core"),
    ("settlement/core/state_machine.py", "import settlement.store.read", "core settlement"),
    (
        "settlement/core/state_machine.py",
        "import settlement.payouts.signing.transactions",
        "core settlement payouts-users",
    ),
    ("settlement/net/backoff.py", "import settlement.core.parsing.amounts", "net"),
    ("settlement/net/backoff.py", "import indexer.chain.blocks", "net payouts"),
    ("settlement/store/write/loader.py", "import httpx", "store"),
    ("settlement/store/write/loader.py", "import indexer.chain.blocks", "store"),
    ("settlement/store/write/loader.py", "import settlement.net.backoff", "store"),
    ("settlement/store/write/loader.py", "import api.http.errors", "store api-users"),
    (
        "settlement/store/write/loader.py",
        "import settlement.payouts.signing.transactions",
        "store settlement payouts-users",
    ),
    ("settlement/payouts/signing/transactions.py", "import flask", "payouts"),
    ("settlement/payouts/signing/transactions.py", "import indexer.chain.blocks", "payouts"),
    ("settlement/payouts/signing/transactions.py", "import api.http.errors", "payouts api-users"),
    ("settlement/payouts/signing/transactions.py", "import settlement.store.write.projector", "settlement"),
    ("settlement/payouts/cosign/relay.py", "import settlement.payouts.signing.transactions", "relay"),
    ("settlement/payouts/cosign/relay.py", "import coincurve", "relay"),
    ("settlement/payouts/signing/transactions.py", "import settlement.payouts.cosign.relay", "relay-users"),
    ("indexer/chain/blocks.py", "import settlement.store.read", "chain"),
    ("indexer/chain/blocks.py", "import indexer.follow.loop", "indexer chain"),
    ("indexer/follow/loop.py", "import settlement.payouts.signing.transactions", "payouts-users"),
    ("indexer/follow/loop.py", "import api.http.errors", "api-users"),
    ("indexer/follow/loop.py", "import indexer.devnet", "indexer devnet-users"),
    ("indexer/devnet/node.py", "import indexer.cli", "indexer"),
    ("indexer/notify/watcher.py", "import indexer.sources.hive", "notify"),
    ("indexer/notify/watcher.py", "import settlement.store.read", "notify"),
    ("indexer/notify/watcher.py", "import sqlalchemy", "notify"),
    ("indexer/notify/watcher.py", "import settlement.payouts.signing.transactions", "notify payouts-users"),
    ("api/app.py", "import indexer.chain.blocks", "api"),
    ("api/app.py", "import settlement.store.write.projector", "api"),
    ("api/app.py", "import settlement.payouts.signing.transactions", "api payouts-users"),
    ("api/app.py", "import peakedex.client.trader", "client-users"),
    ("peakedex/client/trader.py", "import sqlalchemy", "client"),
    ("peakedex/client/trader.py", "import indexer.chain.blocks", "client"),
]


def test_every_contract_breaks_when_it_should(tmp_path: Path) -> None:
    """On a skeleton with the real contracts: kept when clean, and broken by each violation alone."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    clean = {
        "settlement/core/parsing/amounts.py": "",
        "settlement/core/state_machine.py": "import hashlib, settlement.core.parsing.amounts",
        "settlement/net/backoff.py": "import requests, msgspec",
        "settlement/store/read.py": "import sqlalchemy, settlement.core.parsing.amounts",
        "settlement/store/write/projector.py": "import sqlalchemy, settlement.core.parsing.amounts",
        "settlement/store/write/loader.py": "import sqlalchemy, settlement.core.parsing.amounts",
        "settlement/payouts/signing/transactions.py": "import beembase, settlement.net.backoff, settlement.store.read",
        "settlement/payouts/cosign/relay.py": "import http.server, json",
        "indexer/chain/blocks.py": "import settlement.core.parsing.amounts",
        "indexer/sources/hive.py": "import indexer.chain.blocks, settlement.net.backoff",
        "indexer/follow/loop.py": "import indexer.sources.hive, settlement.store.write.projector",
        "indexer/audit/compare.py": "import indexer.sources.hive, settlement.store.read",
        "indexer/ops/doctor.py": "import indexer.sources.hive, settlement.store.read",
        "indexer/devnet/node.py": "import indexer.chain.blocks",
        "indexer/notify/watcher.py": "import requests, settlement.core.parsing.amounts",
        "indexer/cli/main.py": "import api.app, indexer.devnet.node, indexer.follow.loop, "
        "peakedex.client.trader, settlement.payouts.signing.transactions",
        "peakedex/client/trader.py": "import requests",
        "api/http/errors.py": "",
        "api/app.py": "import flask, settlement.store.read",
    }
    for folder in {parent for name in clean for parent in Path(name).parents[:-1]}:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "__init__.py").touch()
    contracts = {c["id"]: c["name"] for c in PROJECT["tool"]["importlinter"]["contracts"]}
    assert set(contracts) == {name for _, _, names in VIOLATIONS for name in names.split()}

    kept = {name: f"{text}\n" for name, text in clean.items()}
    broken = [kept | {file: f"{kept[file]}{line}\n"} for file, line, _ in VIOLATIONS]
    said_of_clean, *said = lint_each(tmp_path, [kept, *broken])
    assert f"{len(contracts)} kept, 0 broken" in said_of_clean, said_of_clean
    for (file, line, expected), text in zip(VIOLATIONS, said, strict=True):
        found = {key for key, name in contracts.items() if re.search(re.escape(name) + r"\s+BROKEN", text)}
        assert found == set(expected.split()), f"{line!r} in {file}: {text}"


@pytest.mark.parametrize("document", arrows.DOCUMENTS, ids=lambda path: path.name)
def test_the_arrows_are_drawn_as_the_contracts_say(document: Path) -> None:
    drawn = arrows.MARKERS.findall(document.read_text("utf-8"))
    assert drawn == [arrows.drawing()], "run: python -m tests.support.arrows"


def test_what_an_import_reaches_may_be_imported_itself() -> None:
    """Or the drawing, which leaves out what is reached through others, would say too much."""
    reachable = arrows.imports()
    assert [
        (importer, through, other)
        for importer, found in reachable.items()
        for through in found
        for other in reachable[through] - found
    ] == []


# ---------------------------------------------------------------- what a newcomer finds


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    targets = [t for t in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in t]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_ci_runs_what_a_developer_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make test"


@pytest.mark.parametrize("target", ["test", "test-quick"])
def test_make_runs_the_tiers(target: str) -> None:
    """`make test` runs every folder of tests that holds tests, and `make test-quick` those without servers."""
    done = subprocess.run(["make", "-n", "-s", target], cwd=ROOT, capture_output=True, text=True, check=True)
    [pytest_line] = [line for line in done.stdout.splitlines() if " -m pytest -n " in line]
    folders = re.findall(r"\btests/\w+", pytest_line)
    assert folders == {"test": [], "test-quick": ["tests/unit", "tests/property", "tests/scenarios"]}[target]
    assert ("lint-imports" in done.stdout) == (target == "test")


def test_make_install_without_a_network_says_so(tmp_path: Path) -> None:
    """pip's own words name a package that it did not find."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || { echo "ERROR: No matching distribution" >&2; exit 1; }\n')
    python.chmod(0o755)
    done = subprocess.run(["make", "install"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "so a network is\nneeded" in done.stderr
    assert "repeat `make install`" in done.stderr
