"""Coverage of the scenarios: every code of every action, every kind of journal line, unique titles."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

from settlement.core.codes import Code
from settlement.core.journal.entries import JournalEntry
from settlement.core.operator_actions import OPERATOR_ACTIONS
from tests.scenarios.scenario import HERE, ScenarioError, read_scenarios
from tests.scenarios.test_scenarios import CASES

_ORDER: Final = "E_INPUT E_AUTH E_PAIR E_PAUSED E_PRECISION E_RANGE"
POSSIBLE: Final = {
    "buy": f"{_ORDER} E_LIMIT E_POST_ONLY E_FOK E_SELF_TRADE E_NO_LIQUIDITY E_FUNDS",
    "sell": f"{_ORDER} E_LIMIT E_POST_ONLY E_FOK E_SELF_TRADE E_NO_LIQUIDITY E_FUNDS",
    "marketBuy": f"{_ORDER} E_SELF_TRADE E_NO_LIQUIDITY E_FUNDS",
    "marketSell": f"{_ORDER} E_SELF_TRADE E_NO_LIQUIDITY E_FUNDS",
    "cancel": "E_INPUT E_AUTH E_NOT_FOUND E_OWNER",
    "cancelAll": "E_INPUT E_AUTH E_PAIR",
    "replace": "E_INPUT E_AUTH E_NOT_FOUND E_OWNER E_PAUSED E_PRECISION E_RANGE E_LIMIT E_SELF_TRADE E_FUNDS",
    "withdraw": "E_INPUT E_AUTH E_TOKEN E_PRECISION E_RANGE E_FUNDS",
    "listToken": "E_INPUT E_AUTH E_TOKEN",
    "listPair": "E_INPUT E_AUTH E_TOKEN E_PAIR",
    "updatePair": "E_INPUT E_AUTH E_PAIR E_PAUSED",
    "updateVenue": "E_INPUT E_AUTH",
    "checkpoint": "E_INPUT E_AUTH E_RANGE",
    "returnWithdrawal": "E_INPUT E_AUTH E_NOT_FOUND",
    "-": "E_INPUT",
}
"""The codes that each action can get. A new code is added here together with a scenario."""


def test_every_code_of_every_action_has_a_scenario() -> None:
    possible = {(action, code) for action, codes in POSSIBLE.items() for code in codes.split()}
    found = {reject for case in CASES for reject in case.expected_rejects()}
    unknown_actions = {(action, code) for action, code in found if action not in POSSIBLE}
    assert possible - found == set()
    assert found - possible - unknown_actions == set()
    assert {code for _, code in unknown_actions} == {"E_INPUT"}
    assert {code for _, code in possible} == {code.value for code in Code}
    assert set(POSSIBLE) >= OPERATOR_ACTIONS


def test_every_kind_of_line_has_a_scenario() -> None:
    found = {line.split()[0] for case in CASES for line in case.journal or ()}
    assert found == {
        *("block", "expire", "deposit", "refund", "order", "trade", "close", "withdraw", "paid", "return"),
        *("outflow", "internal", "operator", "reject"),
    }
    assert len(found) == len(JournalEntry.__args__) + 1  # type: ignore[attr-defined]


def test_titles_are_unique() -> None:
    assert [title for title, count in Counter(case.name for case in CASES).items() if count > 1] == []


def test_every_file_stands_in_the_list_of_rules() -> None:
    readme = (HERE / "README.md").read_text()
    for path in sorted([*HERE.glob("*.txt"), *HERE.glob("venues/*.toml")]):
        assert f"`{path.name}`" in readme


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("block\n", "line 1: a scenario begins"),
        ("# T\nblock\n  alice dances\n", "line 3: unknown verb 'dances'"),
        ("# T\nblok\n", "line 2: unknown: blok"),
        ("# T\nblock\n  alice sends [\n    raw 5\n", "does not end"),
        ("# T\njournal\n", "no block"),
        ("# T\nblock\n  alice asks 1 TKN to dex.tokens\n  receipt what\n", "line 4: receipt what?"),
        ("# T\n  alice dances\n", "line 2: indented line outside a section"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(tmp_path, text: str, problem: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=problem.replace("?", r"\?")):
        read_scenarios(path)
