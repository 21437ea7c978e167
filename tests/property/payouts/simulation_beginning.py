"""The beginning of a simulation: a chain on which traders have deposits, and the database of its indexer."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random

from indexer.devnet.node import DevNode
from indexer.devnet.traders.payloads import deposit
from tests.property.payouts.simulation_chain import LateChain, WatchedSidechain
from tests.system.payouts.world import TRADERS, VIEW, Ledgers

SYMBOLS = {"HBD": ("1", "1.5", "2.5"), "PEK": ("0.01", "2", "0.5"), "SWAP.HIVE": ("1", "0.25")}
NEWCOMER = "nina"
"""Has deposits, and asks for nothing until the end."""
REFUSED = ("gate", "vault")
"""Accounts to which the sidechain refuses transfers; the nodes' blacklist has only the second."""


def prepared() -> DevNode:
    """The chain on which a run begins."""
    node = DevNode(LateChain(sign=False), WatchedSidechain(Random()), cautious=True)
    node.prepare(VIEW)
    for name in REFUSED:
        node.faucet(name)
    for trader in (*TRADERS, NEWCOMER):
        node.faucet(trader, "SWAP.LTC", "1000")
        for symbol in SYMBOLS:
            node.faucet(trader, symbol, "100000")
            node.broadcast([deposit(VIEW, symbol, trader, 10**6 if symbol == "HBD" else 10**10)])
    for _ in range(3):
        node.tick()
    return node


@cache
def first_database() -> bytes:
    """The prepared chain is the same each time, and so is its database."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        ledger = Ledgers(prepared(), Path(folder) / "first.db")
        ledger.follow()
        return copy_of(ledger)


def copy_of(ledger: Ledgers) -> bytes:
    """The database file. No connection stays open: a forked process must not inherit SQLite's locks."""
    ledger.engine.dispose()
    with closing(sqlite3.connect(ledger.path)) as live, closing(sqlite3.connect(":memory:")) as copy:
        live.backup(copy)
        return copy.serialize()


@cache
def scratch() -> str:
    """Folder of the databases, in memory where there is one."""
    memory = "/dev/shm"
    return memory if os.access(memory, os.W_OK) else tempfile.gettempdir()
