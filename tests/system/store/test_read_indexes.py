"""Secondary indexes are created one by one, and creating them leaves the connection as it was."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, inspect

from settlement.core.parsing.names import encode
from settlement.core.payments import default_memo
from settlement.store.database import open_writer
from settlement.store.indexes import READ_INDEXES
from settlement.store.write.loader import load, load_or_initialise
from settlement.store.write.projector import make_read_indexes
from tests.system.store.chains import demo

WANTED = {index.name for index in READ_INDEXES}


def made(engine: Engine) -> set[str | None]:
    there = inspect(engine).get_multi_indexes().values()
    return {index["name"] for indexes in there for index in indexes}


def test_creating_indexes_resumes_after_an_interruption(database_url: str) -> None:
    engine, tenth = open_writer(database_url), READ_INDEXES[10]

    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if f"CREATE INDEX {tenth.name} " in statement:
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_read_indexes(engine)
    event.remove(engine, "before_cursor_execute", interrupt)
    assert made(engine) & WANTED == {index.name for index in READ_INDEXES[:10]}
    make_read_indexes(engine)
    assert made(engine) >= WANTED
    make_read_indexes(engine)  # there is nothing left to do
    engine.dispose()


def test_creating_indexes_restores_the_cache_size(tmp_path: Path) -> None:
    engine = open_writer(f"sqlite:///{tmp_path / 'dex.db'}")
    with engine.connect() as connection:
        before = connection.exec_driver_sql("PRAGMA cache_size").scalar()
    make_read_indexes(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA cache_size").scalar() == before == -65536
    engine.dispose()


def test_loading_restores_the_garbage_collector(tmp_path: Path) -> None:
    engine = open_writer(f"sqlite:///{tmp_path / 'dex.db'}")
    load_or_initialise(engine, demo())
    assert gc.isenabled()
    load(engine)
    assert gc.isenabled()
    gc.disable()
    try:
        load(engine)
        assert not gc.isenabled()
    finally:
        gc.enable()
    engine.dispose()


@pytest.mark.parametrize("claim", ["0a" * 20, "0a-1", "0a#PEK", "", "-", "ü", "²", "٣", "a b", "\ud800"])
def test_the_memo_of_a_claim_is_its_encoded_text(claim: str) -> None:
    """Transaction ids take a shortcut."""
    assert default_memo(claim) == encode(f"peakedex:{claim}")
