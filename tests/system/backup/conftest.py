"""Fixtures: a database with every kind of event, its snapshot, an empty working folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import insert

from settlement.store import payout_schema
from settlement.store.database import closing_writer
from tests.support.postgres import postgresql  # noqa: F401
from tests.system.backup.archives import create
from tests.system.store.chains import lively, replay


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `peakedex.db` (including a payout log), `chain` and `peakedex.snapshot`, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    chain = lively(blocks=40).write(folder / "chain")
    url = f"sqlite:///{folder / 'peakedex.db'}"
    replay(chain, url)[1].dispose()
    with closing_writer(url) as engine, engine.begin() as connection:
        connection.execute(
            insert(payout_schema.settings).values(
                id=1, policy_hash="ab" * 32, hold_from=1, hold_until=2, pause=0, decisions=3
            )
        )
        connection.execute(insert(payout_schema.notes).values(kind=0, claim=1, state="held", reason="é“\n"))
    create(url, folder / "peakedex.snapshot")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Remove the developer's settings from the environment."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set the folder for temporary files."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def database(made: Path, here: Path) -> Path:
    """A copy of the database."""
    return Path(shutil.copy(made / "peakedex.db", here / "peakedex.db"))


@pytest.fixture
def snapshot(made: Path, here: Path) -> Path:
    """A copy of the snapshot."""
    return Path(shutil.copy(made / "peakedex.snapshot", here / "peakedex.snapshot"))
