"""64-bit lookup keys of transaction ids."""

from __future__ import annotations

from sqlalchemy import Engine, insert

from settlement.store import schema
from settlement.store.database import open_writer
from settlement.store.read.accounts.intents import find_rejected_order, list_intents
from settlement.store.transaction_keys import transaction_key
from tests.support import databases

ID = "00112233445566778899aabbccddeeff00112233"


def test_a_key_is_the_first_64_bits_of_the_id() -> None:
    assert transaction_key(ID) == 0x0011223344556677 - 2**63
    assert transaction_key("0" * 40) == -(2**63)
    assert transaction_key("f" * 40) == 2**63 - 1


def test_everything_of_a_transaction_has_its_key() -> None:
    for part in ("-0", "-2-7", ".1", "-0.3", "#SWAP.HIVE", "-1-2#PEK"):
        assert transaction_key(ID + part) == transaction_key(ID)


def test_an_id_that_is_not_hexadecimal_has_a_key() -> None:
    """No id from a node can stop the projector."""
    odd = ["", "x", ID.upper(), ID[:-1], ID + "0", "é☃", "\ud800", "\x00", "१" * 40]
    keys = [transaction_key(text) for text in odd]
    assert len(set(keys)) == len(odd)
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert [transaction_key(text) for text in odd] == keys


def intents(*ids: str) -> Engine:
    """A database whose intents have these ids, all rejected."""
    database = open_writer(databases.fresh())
    with database.begin() as connection:
        connection.execute(insert(schema.accounts).values(id=1, name="alice"))
        for n, id_ in enumerate(ids, 1):
            connection.execute(
                insert(schema.intents).values(
                    *[(n, transaction_key(id_), id_, 1, 1, None, "buy", "E_FUNDS", None, None)]
                )
            )
    return database


def test_two_ids_with_the_same_key_are_distinguished() -> None:
    """64-bit collisions can be produced: the ids are compared too."""
    twin = ID[:16] + "f" * 24
    assert transaction_key(twin) == transaction_key(ID)
    with intents(ID, twin, f"{ID}-1", f"{twin}-1").connect() as connection:
        assert [row.id for row in list_intents(connection, ID, None, 10).rows] == [ID, f"{ID}-1"]
        assert [row.id for row in list_intents(connection, twin, None, 10).rows] == [twin, f"{twin}-1"]
        found = find_rejected_order(connection, f"{twin}-1")
        assert found is not None
        assert found.id == f"{twin}-1"
        assert find_rejected_order(connection, ID[:16] + "0" * 24) is None


def test_the_first_operation_is_not_taken_for_the_tenth() -> None:
    with intents(f"{ID}-1-0", f"{ID}-1-1", f"{ID}-10-0").connect() as connection:
        assert [row.id for row in list_intents(connection, f"{ID}-1", None, 10).rows] == [
            f"{ID}-1-0",
            f"{ID}-1-1",
        ]
