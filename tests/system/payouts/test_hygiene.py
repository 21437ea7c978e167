"""A full run with every kind of failure, and no key in its output, files or database."""

from __future__ import annotations

import base64
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.devnet.hive.keys import PrivateKey
from indexer.devnet.hive.serialization import Transaction
from settlement.net.hive_formats import parse_wif
from settlement.store import schema
from tests.support.waiting import wait_until
from tests.system.payouts.processes import Chain, Operator

HBD, OTHER = PrivateKey("hygiene hbd"), PrivateKey("hygiene other")
BROKEN = HBD.wif[:-1] + ("2" if HBD.wif[-1] != "2" else "3")
SWITCHES = ("lost_replies", "duplicate_replies", "lock_errors", "html_errors", "too_many", "bad_json")


@pytest.fixture
def chain() -> Iterator[Chain]:
    chain = Chain()
    chain.authority("venue.hbd", 1, HBD)
    yield chain
    chain.close()


def traces(*keys: PrivateKey) -> dict[str, bytes]:
    """Texts that must not occur: each key, its number in every usual notation, and parts of them."""
    found: dict[str, bytes] = {"a broken key": BROKEN.encode()}
    for key in keys:
        raw = parse_wif(key.wif)
        found |= {
            f"{key.public_key} as a wif": key.wif.encode(),
            f"{key.public_key} as half a wif": key.wif[8:30].encode(),
            f"{key.public_key} as hex": raw.hex().encode(),
            f"{key.public_key} as HEX": raw.hex().upper().encode(),
            f"{key.public_key} as bytes": raw,
            f"{key.public_key} as base64": base64.b64encode(raw)[:40],
            f"{key.public_key} as a number": str(int.from_bytes(raw, "big")).encode(),
        }
    return found


def leaks(text: bytes, secrets: dict[str, bytes]) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text]


def lose_replies_of_broadcasts(chain: Chain) -> None:
    """Executes each request, and sends no answer or half of one."""
    push, switches = chain.node.push, itertools.cycle(["lost_replies", "bad_json"])

    def pushed(transaction: Transaction) -> str:
        ident = push(transaction)
        chain.public.faults.set({next(switches): 1})
        return ident

    chain.node.push = pushed  # type: ignore[method-assign]  # the node's own way in, whatever calls it


def environ(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def test_no_key_is_anywhere(chain: Chain, tmp_path: Path) -> None:
    posting = chain.node.chain.accounts.private_key("venue.pek", "posting")
    right = chain.node.chain.accounts.private_key("venue.pek", "active")
    secrets = traces(HBD, OTHER, posting, right)
    operator = Operator(chain, tmp_path / "operator", {}, "--first-run")
    said: list[bytes] = []
    try:
        chain.deposit("alice", "HBD", 100_000)
        chain.deposit("alice", "PEK", 100_00000000)
        operator.start("follow")
        operator.start("serve")
        wait_until(
            lambda: operator.scalar(schema.cursor.select().with_only_columns(schema.cursor.c.block_id))
        )

        # No key at all, keys that are broken, and keys of something else: an error each.
        for keys in ({"TEST_HBD_KEY": BROKEN, "TEST_PEK_KEY": posting.wif}, {"TEST_HBD_KEY": OTHER.wif}):
            operator.keys = keys
            operator.start("payouts")
            assert operator.wait_ended("payouts") == 2
        log = operator.log()
        for words in ("TEST_PEK_KEY is not set", "TEST_HBD_KEY holds no key: not a private key"):
            assert words in log
        assert "TEST_HBD_KEY holds a key that is not in the active authority of venue.hbd: HBD stays" in log
        assert "TEST_PEK_KEY holds the posting key of venue.pek, not an active one: PEK stays unpaid" in log

        # One right key and one wrong: HBD is paid, whatever the node does; PEK waits.
        operator.keys = {"TEST_HBD_KEY": HBD.wif, "TEST_PEK_KEY": posting.wif}
        chain.public.faults.set(dict.fromkeys(SWITCHES, 1))
        lose_replies_of_broadcasts(chain)
        operator.start("payouts")
        paid = [chain.withdraw("alice", "HBD", f"{number}.000") for number in range(1, 4)]
        stuck = chain.withdraw("alice", "PEK", "1")
        wait_until(lambda: operator.log().count("unknown: no answer from") >= 2, "lost replies")
        wait_until(lambda: "HTTP status 502" in operator.log(), "bad gateways")
        said += [environ(operator.pid(name)) for name in ("follow", "serve", "payouts")]
        limits = Path(f"/proc/{operator.pid('payouts')}/limits").read_text()
        assert next(line for line in limits.splitlines() if "core file" in line).split()[4:6] == ["0", "0"]
        operator.wait_paid(*paid)
        assert operator.status_of(stuck) == schema.PENDING

        # The authority moves away under a running process, which is then refused.
        chain.authority("venue.hbd", 1, OTHER)
        refused = chain.withdraw("alice", "HBD", "4.000")
        # Hive refuses, unless the process sees first that the authority has changed.
        told = ("missing required active authority", "the authorities of venue.hbd have changed")
        wait_until(lambda: any(words in operator.log().lower() for words in told), f"{refused} refused")
        operator.kill("payouts")
        operator.start("payouts")  # its HBD key is worth nothing now, and neither is the other
        operator.wait_ended("payouts")
        for command in (["status"], ["status", "--json"], ["reconcile", "--node", chain.public.url]):
            done = operator.command("payouts", *command, "--db", operator.db)
            said.append((done.stdout + done.stderr).encode())
        done = operator.cosign("list")
        said.append((done.stdout + done.stderr).encode())
    finally:
        operator.close()
    files = [path for path in operator.folder.rglob("*") if path.is_file()]
    assert {"peakedex.db", "payouts.log", "follow.log", "serve.log"} <= {path.name for path in files}
    for path in files:
        assert leaks(path.read_bytes(), secrets) == [], path
    for text in said:
        assert leaks(text, secrets) == []
    assert leaks(b"\0".join(value for value in os.environb.values()), secrets) == []
    assert not any(path.name.startswith("core") for path in files)


def test_the_search_finds_what_it_searches() -> None:
    secrets = traces(HBD)
    assert len(leaks(b"".join(secrets.values()), secrets)) == 8
    assert leaks(b"log " + HBD.wif.encode(), secrets) == [
        f"{HBD.public_key} as a wif",
        f"{HBD.public_key} as half a wif",
    ]
