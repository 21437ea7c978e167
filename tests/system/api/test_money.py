"""Deposits, withdrawals, ledger transfers, solvency and proofs, compared with the journal and the state."""

from __future__ import annotations

from typing import Any

from settlement.core.events import HIVE_ENGINE, Movement
from settlement.core.journal.lines import iso_time
from settlement.core.liability_proof import Inclusion, Leaf, Node, Proof, Step, Tree, check_proof, read_proof
from settlement.core.parsing.names import decode
from settlement.store import payout_schema
from tests.support.api_client import ApiClient
from tests.system.api.past_world import (
    NAMES,
    PRECISION,
    STRANGER,
    Journal,
    PastWorld,
    at,
    everything,
    lasting,
    show,
)
from tests.system.api.world import START_BLOCK, World


def test_deposits(reader: ApiClient, journal: Journal) -> None:
    paid = {fields[0]: fields[1] for _, fields in journal.of_kind("paid")}
    found = set()
    for name in (*NAMES, STRANGER):
        expected = []
        for block, (kind, *fields) in journal.lines:
            if kind not in ("deposit", "refund", "ignore") or fields[1] != name:
                continue
            id_, _, *chain, symbol, amount, escrow = fields
            credited = kind == "deposit"
            status = {"deposit": "credited", "ignore": "ignored"}.get(kind)
            if status is None:
                status = "refunded" if id_ in paid else "refund_due"
            found.add(status)
            shown = show(int(amount), PRECISION[symbol]) if credited else decode(amount)
            expected.append(
                {
                    "id": id_,
                    "user": name,
                    "chain": chain[0] if chain else "hive" if symbol == "HBD" else "hive-engine",
                    "symbol": decode(symbol),
                    "amount": shown,
                    "escrow": escrow,
                    "status": status,
                    "ts": f"{journal.times[block]}Z",
                    "block": block,
                    "paid_by": None if credited else paid.get(id_),
                }
            )
        assert expected
        for limit in (1, 37):
            assert everything(reader, f"/api/deposits?user={name}", "deposits", limit) == expected[::-1]
    assert everything(reader, "/api/deposits?user=nobody", "deposits") == []
    assert found == {"credited", "refund_due", "ignored"}


def test_a_refund_that_was_paid(fresh: World) -> None:
    astray = fresh.deposit("mallory", "PEK", "2.5")._replace(recipient="peakedex.hive")
    fresh.apply(astray)
    client = fresh.client()
    [due] = client.get("/api/deposits?user=mallory").json["deposits"]
    assert (due["status"], due["symbol"], due["amount"], due["escrow"]) == (
        "refund_due",
        "PEK",
        "2.5",
        "peakedex.hive",
    )
    paid = Movement(
        fresh.id(), HIVE_ENGINE, "peakedex.hive", "mallory", "PEK", "2.50", f"peakedex:{astray.id}"
    )
    fresh.apply(paid)
    [refunded] = client.get("/api/deposits?user=mallory").json["deposits"]
    assert refunded == {**due, "status": "refunded", "paid_by": paid.id}


def test_a_withdrawal_that_goes_back(fresh: World) -> None:
    """From its cancellation on it is returning for an hour; then it is returned (protocol, section 8)."""
    withdrawal = fresh.action("alice", "withdraw", symbol="PEK", quantity="4")
    fresh.apply(fresh.deposit("alice", "PEK", "10"), withdrawal)
    client = fresh.client()

    def shown() -> dict[str, Any]:
        [row] = client.get("/api/withdrawals?user=alice").json["withdrawals"]
        return {name: row[name] for name in ("status", "returning", "return_due", "closed_block")}

    assert shown() == {"status": "pending", "returning": False, "return_due": None, "closed_block": None}
    fresh.apply(fresh.action("alice", "cancelWithdrawal", id=withdrawal.id))
    due = f"{iso_time(fresh.time + 3_600)}Z"
    assert shown() == {"status": "pending", "returning": True, "return_due": due, "closed_block": None}
    fresh.apply(seconds=3_600)
    assert shown() == {
        "status": "returned",
        "returning": False,
        "return_due": due,
        "closed_block": fresh.block,
    }
    assert client.get("/api/balances?user=alice").json["balances"][0]["available"] == "10.00000000"


def test_withdrawals(reader: ApiClient, journal: Journal) -> None:
    asked = {fields[0]: int(fields[1]) for _, fields in journal.of_kind("returning")}
    ends: dict[str, tuple[str, int | None, str | None]]
    ends = {fields[0]: ("paid", block, fields[1]) for block, fields in journal.of_kind("paid")}
    ends |= {fields[0]: ("returned", block, None) for block, fields in journal.of_kind("return")}
    expected = []
    for block, (id_, account, symbol, amount, to, memo) in journal.of_kind("withdraw"):
        status, closed, paid_by = ends.get(id_, ("pending", None, None))
        expected.append(
            {
                "id": id_,
                "user": account,
                "symbol": symbol,
                "amount": show(int(amount), PRECISION[symbol]),
                "to": to,
                "memo": None if memo == "-" else decode(memo),
                "status": status,
                "returning": status == "pending" and id_ in asked,
                "return_due": f"{iso_time(asked[id_])}Z" if id_ in asked else None,
                "ts": f"{journal.times[block]}Z",
                "block": block,
                "paid_by": paid_by,
                "closed_ts": None if closed is None else f"{journal.times[closed]}Z",
                "closed_block": closed,
            }
        )
    expected.reverse()
    assert {row["status"] for row in expected} == {"pending", "paid", "returned"}

    def shown(query: str, limit: int = 7) -> list[dict[str, Any]]:
        rows = everything(reader, f"/api/withdrawals?{query}", "withdrawals", limit)
        return [{name: value for name, value in row.items() if name != "payout"} for row in rows]

    assert shown("") == expected
    for status in ("pending", "paid", "returned"):
        assert shown(f"status={status}") == [row for row in expected if row["status"] == status]
        for name in NAMES:
            mine = [row for row in expected if row["user"] == name]
            assert shown(f"user={name}") == mine
            assert shown(f"user={name}&status={status}", 1) == [
                row for row in mine if row["status"] == status
            ]
    assert shown("user=nobody") == []


def test_a_withdrawal_shows_how_far_its_payment_is(fresh: World) -> None:
    """The status recorded by payouts; `paid` depends only on the chain."""
    fresh.apply(fresh.deposit("alice", "PEK", "100"))
    asked = [fresh.action("alice", "withdraw", symbol="PEK", quantity=str(n)) for n in (1, 2, 3)]
    fresh.apply(*asked)
    client = fresh.client()

    def payouts() -> list[dict[str, Any]]:
        fresh.apply()
        return [row["payout"] for row in client.get("/api/withdrawals?user=alice").json["withdrawals"][::-1]]

    none: dict[str, object] = {
        "reason": None,
        "transaction_ids": [],
        "signatures": None,
        "needed": None,
        "next_attempt": None,
    }
    assert payouts() == [{"state": "queued", **none}] * 3
    with fresh.engine.begin() as connection:
        for n, id_, weight in ((1, "a" * 40, 2), (2, "b" * 40, 1)):
            connection.execute(
                payout_schema.transactions.insert().values(
                    n=n,
                    id=id_,
                    escrow="peakedex.pek",
                    slot=n,
                    expires=0,
                    transaction="{}",
                    signatures="{}",
                    weight=weight,
                    needed=2,
                )
            )
            connection.execute(payout_schema.members.insert().values(kind=0, claim=1, transaction_n=n))
        notes = [
            (1, "signed", None, None),
            (2, "waiting_funds", "the escrow account holds 1 PEK", 1_790_000_100),
        ]
        for claim, state, reason, next_ in notes:
            connection.execute(
                payout_schema.notes.insert().values(
                    kind=0, claim=claim, state=state, reason=reason, next_attempt=next_
                )
            )
    ids = ["a" * 40, "b" * 40]
    signed = {"state": "signed", **none, "transaction_ids": ids, "signatures": 1, "needed": 2}
    waiting = {
        **none,
        "state": "waiting_funds",
        "reason": "the escrow account holds 1 PEK",
        "next_attempt": "2026-09-21T14:15:00Z",
    }
    assert payouts() == [signed, waiting, {"state": "queued", **none}]
    memo = f"peakedex:{asked[0].id}"
    fresh.apply(Movement(fresh.id(), HIVE_ENGINE, "peakedex.pek", "alice", "PEK", "1", memo))
    assert payouts()[0] == {**signed, "state": "paid"}


def test_transfers_add_up_to_the_balances(past_world: PastWorld, reader: ApiClient) -> None:
    """Double entry: the sum of an account's transfers is its balance."""
    state = past_world.state(None)
    for name in (*NAMES, "peakecoin.fees"):
        sums: dict[str, dict[str, int]] = {}
        rows = everything(reader, f"/api/transfers?user={name}", "transfers", 101)
        numbers = [row["n"] for row in rows]
        assert numbers == sorted(set(numbers), reverse=True)
        for row in rows:
            assert name in (row["debit"]["user"], row["credit"]["user"])
            units = int(row["amount"].replace(".", ""))
            for side, sign in (("debit", -1), ("credit", 1)):
                if row[side]["user"] == name:
                    buckets = sums.setdefault(row["symbol"], {})
                    buckets[row[side]["bucket"]] = buckets.get(row[side]["bucket"], 0) + sign * units
        names = ("available", "locked", "withdrawing")
        added = {symbol: [buckets.get(each, 0) for each in names] for symbol, buckets in sums.items()}
        assert {symbol: held for symbol, held in added.items() if any(held)} == state.balances[name]
    assert everything(reader, "/api/transfers?user=nobody", "transfers") == []


def test_solvency(past_world: PastWorld, reader: ApiClient, journal: Journal) -> None:
    state, body = past_world.state(None), reader.get("/api/solvency").json
    assert [row["symbol"] for row in body["tokens"]] == sorted(PRECISION)
    for row in body["tokens"]:
        symbol, decimals = row["symbol"], PRECISION[row["symbol"]]
        sums = [sum(held[symbol][n] for held in state.balances.values() if symbol in held) for n in range(3)]
        holdings = state.holdings.get(symbol, 0)
        names = ("available", "locked", "withdrawing", "liabilities", "holdings", "surplus")
        values = (*sums, sum(sums), holdings, holdings - sum(sums))
        assert [row[name] for name in names] == [show(value, decimals) for value in values]
        assert row["solvent"] == (holdings >= sum(sums))
    assert {row["solvent"] for row in body["tokens"]} == {True, False}
    lost = journal.of_kind("outflow")[::-1][:100]
    assert [
        (row["block"], row["id"], row["chain"], row["symbol"], row["quantity"], row["to"])
        for row in body["unmatched_outflows"]
    ] == [
        (block, id_, chain, symbol, show(int(amount), PRECISION[symbol]), to)
        for block, (id_, _, chain, symbol, amount, to) in lost
    ]
    assert lost
    assert [(row["id"], row["user"], row["symbol"], row["quantity"]) for row in body["refunds_due"]] == [
        (id_, account, decode(symbol), decode(quantity))
        for id_, account, symbol, quantity, _ in state.due[:100]
    ]
    assert body["refunds_due"]


def proof_of(body: dict[str, Any]) -> Proof:
    return Proof(
        body["venue_hash"],
        body["root_block"],
        body["root_block_id"],
        body["user"],
        tuple(
            Inclusion(
                token["symbol"],
                token["root"]["leaves"],
                token["leaf"]["place"],
                int(token["leaf"]["units"]),
                tuple(Step(step["side"], Node(int(step["units"]), step["hash"])) for step in token["path"]),
                Node(int(token["root"]["units"]), token["root"]["hash"]),
            )
            for token in body["tokens"]
        ),
    )


def test_proofs(past_world: PastWorld, reader: ApiClient, moments: list[int | None]) -> None:
    """Each proof is valid, has the account's balance, and leads to the roots computed from the state text."""
    for block in moments[:25]:
        state = past_world.state(block)
        for name in (*NAMES, STRANGER):
            body = reader.get(f"/api/proof?user={name}{at(block)}").json
            proof = proof_of(body)
            check_proof(proof)
            assert read_proof(body["text"]) == proof
            held = {symbol: sum(amounts) for symbol, amounts in state.balances[name].items()}
            assert {token.symbol: token.total for token in proof.tokens} == held
            for token, row in zip(proof.tokens, body["tokens"], strict=True):
                leaves = [
                    Leaf(account, sum(held[token.symbol]))
                    for account, held in sorted(state.balances.items())
                    if token.symbol in held
                ]
                tree = Tree(proof.venue_hash, token.symbol, leaves)
                assert tree.root(proof.block, proof.block_id) == token.root
                decimals = PRECISION[token.symbol]
                assert row["total"] == show(token.total, decimals)
                assert row["root"]["total"] == show(token.root.total, decimals)
                assert [step["total"] for step in row["path"]] == [
                    show(step.node.total, decimals) for step in token.path
                ]
            at_root = (
                reader.get(f"/api/state?block={body['root_block']}").text
                if body["root_block"]
                else past_world.states[START_BLOCK - 1]
            )
            assert lasting(at_root) == lasting(
                past_world.states[past_world.world.block if block is None else block]
            )
            assert f"\nblock {body['root_block']} {body['root_block_id']} " in at_root
