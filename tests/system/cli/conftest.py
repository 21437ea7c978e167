"""Fixtures: an empty working folder, a venue file, a chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.store.chains import VENUE_TEXT, lively


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without the developer's `peakedex.toml`."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def venue(here: Path) -> Path:
    path = here / "venue.toml"
    path.write_text(VENUE_TEXT, "utf-8")
    return path


@pytest.fixture
def archive(here: Path) -> Path:
    return lively().write(here / "chain")
