"""/api/atom: a feed that readers accept (RFC 4287), with ids that stay the same, and texts that stay texts."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from settlement.core.events import HIVE_ENGINE, Movement
from tests.support.api_client import ApiClient
from tests.system.api.world import World

A = "{http://www.w3.org/2005/Atom}"


def feed(client: ApiClient, user: str) -> ElementTree.Element:
    """The feed, checked against what RFC 4287 demands of it."""
    answer = client.get(f"/api/atom?user={user}")
    assert (answer.status_code, answer.mimetype) == (200, "application/atom+xml")
    root = ElementTree.fromstring(answer.data)
    assert root.tag == f"{A}feed"
    assert root.findtext(f"{A}author/{A}name")
    entries = root.findall(f"{A}entry")
    for element in (root, *entries):
        assert all(len(element.findall(f"{A}{name}")) == 1 for name in ("id", "title", "updated"))
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", element.findtext(f"{A}id") or "")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", element.findtext(f"{A}updated") or "")
    assert all(entry.findtext(f"{A}content") for entry in entries)  # there is no link to another page
    ids = [entry.findtext(f"{A}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    times = [entry.findtext(f"{A}updated") or "" for entry in entries]
    assert times == sorted(times, reverse=True)
    if times:
        assert root.findtext(f"{A}updated") == times[0]
    return root


def titles(root: ElementTree.Element) -> list[str]:
    return [entry.findtext(f"{A}title") or "" for entry in root.findall(f"{A}entry")]


def ids(root: ElementTree.Element) -> dict[str, str]:
    """Ids by title and time."""
    return {
        f"{entry.findtext(f'{A}title')} {entry.findtext(f'{A}updated')}": entry.findtext(f"{A}id") or ""
        for entry in root.findall(f"{A}entry")
    }


def test_a_feed_has_fills_deposits_and_withdrawals(client: ApiClient) -> None:
    found = titles(feed(client, "bob"))
    assert found[0] == "Withdrawal of 1.00000000 SWAP.HIVE requested"
    assert "Bought 300.00000000 PEK at 0.012000 SWAP.HIVE" in found
    assert "Deposit of 0.50000000 SWAP.BTC" in found
    assert titles(feed(client, "nobody")) == []


def test_entries_keep_their_ids_while_others_come(fresh: World) -> None:
    fresh.apply(fresh.deposit("alice", "PEK", "5"))
    client = fresh.client()
    before = feed(client, "alice")
    fresh.apply(
        fresh.deposit("alice", "PEK", "6"), fresh.action("alice", "withdraw", symbol="PEK", quantity="1")
    )
    after = feed(client, "alice")
    assert len(titles(after)) == 3
    assert ids(before).items() <= ids(after).items()
    assert before.findtext(f"{A}id") == after.findtext(f"{A}id")


def test_a_refund_has_an_entry_of_its_own(fresh: World) -> None:
    astray = fresh.deposit("mallory", "PEK", "2.5")._replace(recipient="peakedex.hive")
    fresh.apply(astray)
    client = fresh.client()
    [before] = ids(feed(client, "mallory")).items()
    paid = Movement(
        fresh.id(), HIVE_ENGINE, "peakedex.hive", "mallory", "PEK", "2.50", f"peakedex:{astray.id}"
    )
    fresh.apply(paid)
    after = feed(client, "mallory")
    assert titles(after) == ["Refund of 2.5 PEK", "Deposit of 2.5 PEK not accepted"]
    assert before in ids(after).items()
    assert paid.id in (after.findtext(f"{A}entry/{A}content") or "")


def test_a_hostile_symbol_stays_text(fresh: World) -> None:
    fresh.apply(fresh.deposit("mallory", '<b>&amp;]]>"\x00\x0b\ufffe\ud800', "1"))
    [title] = titles(feed(fresh.client(), "mallory"))
    assert '<b>&amp;]]>"' + "\ufffd" * 4 in title


def test_the_newest_fifty_are_shown(fresh: World) -> None:
    for _ in range(3):
        fresh.apply(*(fresh.deposit("alice", "PEK", "1") for _ in range(20)))
    assert len(titles(feed(fresh.client(), "alice"))) == 50
