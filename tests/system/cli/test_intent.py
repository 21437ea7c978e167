"""`peakedex intent` without a network: what it prints, and what it says about mistakes."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from indexer.cli.intent import intent
from indexer.intents.actions import ACTIONS
from tests.system.cli.command import FAILED, MISUSED, OK, peakedex

ORDER = "0123456789abcdef0123456789abcdef01234567"
SELL = ("intent", "sell", "--symbol", "PEK", "--quantity", "10", "--price", "0.0005")


def printed(*words: object) -> Any:
    run = peakedex(*words)
    assert run.code == OK, run.err
    return json.loads(run.out)


@pytest.mark.parametrize("name", list(intent.commands))
def test_the_example_of_each_action_is_valid(name: str, venue: Path) -> None:
    """The help's own example, with an order id in place of the shortened one."""
    text = str(intent.commands[name].help).split("Example: peakedex ")[1]
    words = shlex.split(text.replace("0f3c…e1", ORDER).replace("venues/example.toml", str(venue)))
    element = printed(*words)
    assert element.get("contractPayload", element)


def test_there_is_a_command_for_every_action_of_the_protocol() -> None:
    assert set(intent.commands) == {spec.command for spec in ACTIONS.values()} | {"deposit"}


def test_an_action_has_its_name_in_the_protocol_too(venue: Path) -> None:
    words = ("--symbol", "PEK", "--quantity", "1", "--venue", venue)
    assert printed("intent", "marketBuy", *words) == printed("intent", "market-buy", *words)


def test_options_become_the_payload_that_the_protocol_names(venue: Path) -> None:
    before = int(time.time())
    element = printed(
        *("intent", "grant", "--to", "alice.bot", "--band-bps", "0", "--until", "2h", "--ref", "g.1"),
        *("--pair", "PEK/HBD", "--pair", "PEK/PIMP", "--per-day", "PEK=1.50", "--per-day", "HBD=2"),
        *("--venue", venue),
    )
    payload = element["contractPayload"]
    assert before + 7200 <= payload.pop("until") <= time.time() + 7200
    assert payload == {
        "to": "alice.bot",
        "bandBps": 0,
        "ref": "g.1",
        "pairs": ["PEK/HBD", "PEK/PIMP"],
        "perDay": {"PEK": "1.50", "HBD": "2"},
    }
    deadline = printed(*SELL, "--not-after", "4000000000", "--post-only", "--venue", venue)
    assert deadline["contractPayload"]["notAfter"] == 4_000_000_000
    assert deadline["contractPayload"]["postOnly"] is True


@pytest.mark.parametrize(
    ("options", "active", "posting"),
    [((), ["alice"], []), (("--posting",), [], ["alice"]), (("--for", "bobby"), ["alice"], [])],
)
def test_the_operation_names_the_key_that_signs(
    options: tuple[str, ...], active: list[str], posting: list[str], venue: Path
) -> None:
    name, value = printed(*SELL, *options, "--account", "alice", "--json", "--venue", venue)
    assert name == "custom_json"
    assert (value["required_auths"], value["required_posting_auths"]) == (active, posting)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((*SELL, "--trigger-price", "1"), "trigger-price: requires --trigger-when"),
        ((*SELL, "--max-fee-bps", "5"), "max-fee-bps: is below the taker fee of PEK/SWAP.HIVE, which is 20"),
        ((*SELL, "--not-after", "1"), "not-after: 1 is over: choose a later time"),
        ((*SELL, "--account", "No"), "account: 'No' is not a Hive account name"),
        (
            ("intent", "update-venue", "--max-open-orders", "5", "--account", "alice"),
            "account: updateVenue must be signed by the operator, peakecoin",
        ),
    ],
)
def test_a_mistake_names_the_option_and_the_cure(words: tuple[str, ...], error: str, venue: Path) -> None:
    run = peakedex(*words, "--venue", venue)
    assert (run.code, run.complaint) == (FAILED, f"Error: {error}")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            (*SELL, "--not-after", "soon"),
            "'soon' is neither Unix seconds nor a span such as 60s, 5m, 12h or 30d",
        ),
        (
            ("intent", "grant", "--to", "bobby", "--per-day", "PEK"),
            "'PEK' must be SYMBOL=AMOUNT, such as PEK=1000",
        ),
        (("intent", "cancel"), "Missing option '--id'."),
        ((*SELL, "--sign"), "--sign requires --account NAME"),
        (("intent", "withdraw", "--symbol", "PEK", "--posting"), "No such option '--posting'"),
    ],
)
def test_misuse_is_said_before_anything_is_signed(words: tuple[str, ...], error: str, venue: Path) -> None:
    run = peakedex(*words, "--venue", venue)
    assert run.code == MISUSED
    assert error in run.error
    assert run.out == ""


def test_without_a_venue_there_is_nothing_to_check_against() -> None:
    run = peakedex(*SELL)
    assert run.code == MISUSED
    assert run.error == "Error: no venue: use --venue FILE, set PEAKEDEX_VENUE, or use --api URL"
