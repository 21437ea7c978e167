"""Gives a Hive account an authority of k of n: prints the `account_update`; with --sign signs and sends it.

    python3 authority.py golddex.hbd --threshold 2 op-one op-two op-three --node https://api.hive.blog
    PEAKEDEX_OWNER_KEY=5J… python3 authority.py golddex.hbd --threshold 2 op-one op-two op-three --sign

Members are accounts, or public keys (STM…). Owner and active authority become the same, so that nobody can
change the active one alone; posting authority and memo key stay. It is signed with the owner key, which does
not leave this process: beem only signs, under the chain id given here. See docs/go-live.md, section 5.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from datetime import datetime, timedelta
from typing import Any

import requests
from beem.amount import Amount  # noqa: F401  (importing beem's base alone leaves its objects half made)
from beembase.operations import Account_update
from beembase.signedtransactions import Signed_Transaction

MAINNET = "beeab0de" + "0" * 56
EXPIRES_IN = timedelta(seconds=60)


def call(node: str, method: str, params: object) -> Any:
    """The result of a call of a Hive node; ends the program with its error."""
    asked = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
    answer = requests.post(node, json=asked, timeout=20).json()
    if "error" in answer:
        sys.exit(f"{node}: {answer['error']['message']}")
    return answer["result"]


def authority(threshold: int, members: list[str]) -> dict[str, object]:
    """An authority of members with weight 1 each, sorted as Hive sorts them."""
    keys = sorted(name for name in members if name.startswith("STM"))
    accounts = sorted(name for name in members if not name.startswith("STM"))
    return {
        "weight_threshold": threshold,
        "account_auths": [[name, 1] for name in accounts],
        "key_auths": [[key, 1] for key in keys],
    }


def operation(account: dict[str, Any], new: dict[str, object]) -> dict[str, object]:
    """The `account_update`; what it does not name stays."""
    kept = {"memo_key": account["memo_key"], "json_metadata": account["json_metadata"]}
    return {"account": account["name"], "owner": new, "active": new, **kept}


def signed(node: str, value: dict[str, object], key: str, chain_id: str) -> tuple[str, dict[str, Any]]:
    """The transaction with its signature, and its id."""
    head = call(node, "condenser_api.get_dynamic_global_properties", [])
    block_id = bytes.fromhex(head["head_block_id"])
    now = datetime.fromisoformat(f"{head['time']}+00:00")
    header = {
        "ref_block_num": int.from_bytes(block_id[2:4], "big"),
        "ref_block_prefix": int.from_bytes(block_id[4:8], "little"),
        "expiration": f"{now + EXPIRES_IN:%Y-%m-%dT%H:%M:%S}",
    }
    made = Signed_Transaction(**header, operations=[Account_update({**value, "prefix": "STM"})])
    chain = {"chain_id": chain_id, "prefix": "STM", "chain_assets": []}
    made.deriveDigest(chain)
    ident = hashlib.sha256(bytes(made.message)[32:]).hexdigest()[:40]
    made.sign([key], chain=chain)
    signature = bytes(made.data["signatures"].data[0]).hex()
    body = {**header, "operations": [["account_update", value]], "extensions": []}
    return ident, {**body, "signatures": [signature]}


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    reader.add_argument("account")
    reader.add_argument("members", nargs="+", metavar="MEMBER")
    reader.add_argument("--threshold", type=int, required=True, metavar="K")
    reader.add_argument("--node", default="https://api.hive.blog", metavar="URL")
    reader.add_argument("--chain-id", default=MAINNET, metavar="HEX")
    reader.add_argument("--sign", action="store_true")
    given = reader.parse_args()
    if not 1 <= given.threshold <= len(set(given.members)):
        sys.exit(f"--threshold must be from 1 to {len(set(given.members))}, the number of members")
    wanted = {given.account, *(name for name in given.members if not name.startswith("STM"))}
    rows = {row["name"]: row for row in call(given.node, "condenser_api.get_accounts", [sorted(wanted)])}
    if missing := wanted - rows.keys():
        sys.exit(f"no such account: {', '.join(sorted(missing))}")
    value = operation(rows[given.account], authority(given.threshold, list(set(given.members))))
    print(json.dumps(["account_update", value], indent=2))
    if given.sign:
        key = os.environ.get("PEAKEDEX_OWNER_KEY", "").strip()
        if not key:
            sys.exit(f"set PEAKEDEX_OWNER_KEY to the private owner key of {given.account}")
        ident, body = signed(given.node, value, key, given.chain_id)
        call(given.node, "condenser_api.broadcast_transaction", [body])
        print(f"sent: transaction {ident}")


if __name__ == "__main__":
    main()
