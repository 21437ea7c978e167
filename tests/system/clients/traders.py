"""Third-party clients that sign and broadcast a native transfer or a custom_json, and return its id.

They sign with the account's active key; a custom_json also with its posting key.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest
from beem import Hive
from beem.account import Account

from tests.system.clients.exchange import Exchange

HERE = Path(__file__).resolve().parent
CURE = "run `make clients` (it needs Node.js 18 or newer, or installs it from a pip package)"


class Trader(Protocol):
    """Third-party software with an account's keys."""

    account: str

    def transfer(self, to: str, amount: str, symbol: str, memo: str = "") -> str: ...

    def custom_json(self, body: object, *, posting: bool = False) -> str: ...


class BeemTrader:
    """beem, as its documentation uses it."""

    def __init__(self, exchange: Exchange, account: str) -> None:
        self.account = account
        self._hive = Hive(node=[exchange.url], keys=[exchange.key(account), exchange.key(account, "posting")])

    def transfer(self, to: str, amount: str, symbol: str, memo: str = "") -> str:
        account = Account(self.account, blockchain_instance=self._hive)
        return str(account.transfer(to, amount, symbol, memo=memo)["trx_id"])

    def custom_json(self, body: object, *, posting: bool = False) -> str:
        signer = {"required_posting_auths" if posting else "required_auths": [self.account]}
        sent = self._hive.custom_json("ssc-mainnet-hive", body, **signer)
        return str(sent["trx_id"])


class DhiveTrader:
    """dhive under Node.js, one process per call."""

    def __init__(self, exchange: Exchange, account: str, key: str | None = None) -> None:
        self.account = account
        self._url = exchange.url
        self._chain_id = exchange.node.chain.chain_id.hex()
        self._key = key or exchange.key(account)
        self._posting_key = exchange.key(account, "posting")
        self.seen: dict[str, Any] = {}

    def run(self, *operations: object, posting: bool = False) -> dict[str, Any]:
        """Broadcast each operation in its own transaction; dhive's results."""
        job = {
            "url": self._url,
            "chainId": self._chain_id,
            "key": self._posting_key if posting else self._key,
            "account": self.account,
            "operations": operations,
        }
        command = [node_program(), str(HERE / "dhive.cjs")]
        ran = subprocess.run(
            command, input=json.dumps(job), capture_output=True, text=True, check=False, timeout=240
        )
        assert ran.returncode == 0, ran.stderr
        self.seen = json.loads(ran.stdout)
        return self.seen

    def _send(self, *operation: object, posting: bool = False) -> str:
        [ident] = self.run(operation, posting=posting)["sent"]
        return str(ident)

    def transfer(self, to: str, amount: str, symbol: str, memo: str = "") -> str:
        value = {"from": self.account, "to": to, "amount": f"{amount} {symbol}", "memo": memo}
        return self._send("transfer", value)

    def custom_json(self, body: object, *, posting: bool = False) -> str:
        value = {
            "required_auths": [] if posting else [self.account],
            "required_posting_auths": [self.account] if posting else [],
            "id": "ssc-mainnet-hive",
            "json": json.dumps(body),
        }
        return self._send("custom_json", value, posting=posting)


def node_program() -> str:
    """The path of Node.js. A missing Node.js is a failure, so that the tests are never skipped silently."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    program = shutil.which("node", path=path)
    if program is None:
        pytest.fail(f"there is no Node.js: {CURE}")
    if not (HERE / "node_modules" / "@hiveio" / "dhive").is_dir():
        pytest.fail(f"dhive is not installed: {CURE}")
    return program
