"""lighthive reads the devnet like a public node."""

from __future__ import annotations

import json

from lighthive.client import Client
from lighthive.helpers.account import Account
from lighthive.helpers.event_listener import EventListener

from tests.system.clients.exchange import Exchange
from tests.system.clients.traders import BeemTrader


def test_lighthive_finds_what_beem_signed(exchange: Exchange) -> None:
    user = "light-reader"
    exchange.rich(user)
    trader = BeemTrader(exchange, user)
    paid = trader.transfer("peakedex.hbd", "1.250", "HBD", memo="for lighthive")
    element = {"contractName": "peakedex", "contractAction": "cancelAll", "contractPayload": {}}
    asked = trader.custom_json(element)
    exchange.intent(asked)

    client = Client(nodes=[exchange.url], backoff_max_tries=1)
    account = Account(client, user)
    assert account.raw_data["hbd_balance"] == "98.750 HBD"
    assert account.rc() >= 99.9  # the chain of this test runs ahead of the clock
    history = list(account.history(only_operation_data=False, order="asc"))
    assert [row[1]["trx_id"] for row in history] == [paid, asked]
    found = client("condenser_api").get_transaction(paid)
    assert found["operations"][0][1]["amount"] == "1.250 HBD"
    assert client("transaction_status_api").find_transaction({"transaction_id": asked})["status"] == (
        "within_irreversible_block"
    )

    block = int(found["block_num"])
    # A client remembers the last used api, so the listener needs its own client.
    fresh = Client(nodes=[exchange.url], backoff_max_tries=1)
    listener = EventListener(fresh, start_block=block, end_block=block + 20)
    heard = next(listener.on("custom_json", filter_by={"required_auths": [user]}))
    assert json.loads(heard["op"][1]["json"]) == element
    assert heard["trx_id"] == asked

    blocks = client("block_api").get_block_range({"starting_block_num": block, "count": 1})["blocks"]
    assert paid in blocks[0]["transaction_ids"]
