"""An account such as `my--name` (hived allows several hyphens in a row) deposits, is paid, and is found everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from api.app import PUBLISHER, create_app
from api.settings import ApiSettings
from indexer.devnet.traders.payloads import deposit
from settlement.store.write.projector import make_read_indexes
from tests.support.api_client import ApiClient
from tests.system.api.mirror import listen
from tests.system.cli.command import FAILED, MISUSED, OK, peakedex
from tests.system.payouts.world import VIEW, World
from tests.system.store.chains import VENUE_TEXT

NAME = "my--name"
INVALID = [
    "My--Name",
    "MY--NAME",
    " my--name",
    "my--name ",
    "my --name",
    "my--",
    "--name",
    "my--name\n",
    "my-.name",
]


def read(client: ApiClient, path: str, *, status: int = 200) -> Any:
    response = client.get(path)
    assert response.status_code == status, path
    return response.json


def test_hyphens_in_a_row_are_credited_paid_and_shown(tmp_path: Path) -> None:
    world = World(tmp_path)
    make_read_indexes(world.ledger.engine)
    for symbol in ("PEK", "HBD"):
        world.node.faucet(NAME, symbol, "100")
        world.node.broadcast([deposit(VIEW, symbol, NAME, 5000)])
    world.tick(2)
    runner = world.runner()
    app = create_app(ApiSettings(database_url=world.ledger.url))
    client = ApiClient(app)
    stream = listen(client, f"account:{NAME}")
    (account,) = stream.expect("snapshot").data["accounts"]
    assert account["user"] == NAME
    assert {row["symbol"]: row["available"] for row in account["balances"]} == {
        "HBD": "5.000",
        "PEK": "0.00005000",
    }

    before = {symbol: world.balance(NAME, symbol) for symbol in ("PEK", "HBD")}
    claims = [
        world.withdraw(NAME, "PEK", "all"),  # to the signer
        world.withdraw(NAME, "HBD", "2.000", to=NAME),
        world.withdraw("alice", "HBD", "1.000", to=NAME),
    ]
    world.run(runner, 120)
    assert {world.states()[claim] for claim in claims} == {"paid"}
    assert world.balance(NAME, "PEK") - before["PEK"] == 5000
    assert world.balance(NAME, "HBD") - before["HBD"] == 3000
    world.check()

    (changed,) = stream.expect("change").data["accounts"]
    assert changed["user"] == NAME
    for path in ("orders", "transfers", "proof"):
        read(client, f"/api/{path}?user={NAME}")
    (balance,) = read(client, f"/api/balances?user={NAME}")["balances"]
    assert (balance["symbol"], balance["available"], balance["withdrawing"]) == ("HBD", "3.000", "0.000")
    assert len(read(client, f"/api/deposits?user={NAME}")["deposits"]) == 2
    withdrawals = read(client, f"/api/withdrawals?user={NAME}")["withdrawals"]
    assert sorted((row["symbol"], row["to"], row["status"]) for row in withdrawals) == [
        ("HBD", NAME, "paid"),
        ("PEK", NAME, "paid"),
    ]
    stream.close()
    app.extensions[PUBLISHER].close()

    exported = peakedex("export", "withdrawals", "--db", world.ledger.url, "--user", NAME)
    assert (exported.code, len(exported.lines)) == (OK, 3)
    assert peakedex("prove", NAME, "--db", world.ledger.url, "--json").json["account"] == NAME


def test_an_intent_names_such_an_account(tmp_path: Path) -> None:
    venue = tmp_path / "venue.toml"
    venue.write_text(VENUE_TEXT, "utf-8")
    words = ("intent", "withdraw", "--venue", venue, "--symbol", "PEK", "--quantity", "10", "--json")
    run = peakedex(*words, "--account", NAME, "--to", NAME)
    assert run.code == OK
    assert run.json[1]["required_auths"] == [NAME]
    assert peakedex(*words, "--account", "My--Name").code == FAILED
    assert peakedex(*words, "--account", NAME, "--to", "My--Name").code == FAILED


def test_other_spellings_are_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    client = ApiClient(create_app(ApiSettings(database_url=world.ledger.url)))
    withdrawals = {name: world.withdraw("alice", "PEK", "1", to=name) for name in INVALID}
    world.tick(2)
    for name, intent in withdrawals.items():
        assert read(client, f"/api/intents/{intent}")["intents"][0]["code"] == "E_INPUT", name
        for path in (f"/api/balances?user={quote(name)}", f"/api/stream?topics=account:{quote(name)}"):
            assert read(client, path, status=400)["code"] == "E_INPUT"
        assert peakedex("export", "withdrawals", "--db", world.ledger.url, "--user", name).code == MISUSED
        assert peakedex("prove", "--db", world.ledger.url, "--", name).code == MISUSED
