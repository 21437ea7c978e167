"""Malformed and adversarial operations: JSON bombs, wrong types, and quantities that parsers disagree about.

All of them can occur in valid blocks, because the checks of a node's mempool are policy. An indexer must read
them and continue.
"""

from __future__ import annotations

from random import Random
from typing import Final

from indexer.devnet.traders.payloads import Element, token_transfer
from indexer.devnet.venue import VenueView

_DEEP: Final = 4000
_DIGITS: Final = 5000

# Quantities of a token transfer. The sidechain accepts some that are not plain decimals.
QUANTITIES: Final = (
    "1",
    "1.0",
    "+2",
    " 3 ",
    "1e0",
    "25E-1",
    ".5",
    "4.",
    "0x10",
    "0b11",
    "0o17",
    "0x1.8",
    "0X1F",
    "0x0x10",
    "\u00a07\ufeff",
    "1e",
    "0x",
    "1e-8",
    "00012",
    "1e400",
    "-1",
    "0",
    "Infinity",
    "NaN",
    "",
    "1,5",
    "１",
    "0.123456789",
    "9" * 40,
)


def bombs(venue: VenueView, trader: str) -> list[str]:
    """Texts for a custom_json with the venue's id, most of them malformed."""
    return [*_orders(venue), *_actions(venue, trader), *_conditions(venue, trader)]


def _orders(venue: VenueView) -> list[str]:
    """Malformed JSON, and orders with bad values."""
    ours = f'"contractName":"{venue.contract}"'
    pair = venue.pairs[0]
    buy = f'{{{ours},"contractAction":"buy","contractPayload":'
    order = f'"symbol":"{pair.base}","quote":"{pair.quote}"'
    return [
        "",
        "{",
        "null",
        "[]",
        "[[],{},null,1,true]",
        '"text"',
        "[" * _DEEP + "]" * _DEEP,
        f"{buy}{'[' * _DEEP}",
        f'{buy}{{{order},"quantity":{"1" * _DIGITS},"price":"1"}}}}',
        f'{buy}{{{order},"quantity":1e999999999,"price":"1"}}}}',
        f'{buy}{{{order},"quantity":NaN,"price":Infinity}}}}',
        f'{buy}{{{order},"quantity":"1","price":-0}}}}',
        f'{buy}{{{order},"quantity":"1","price":0.0004}}}}',
        f'{buy}{{{order},"quantity":1.50,"price":4E-4}}}}',
        f'{buy}{{{order},"quantity":"٣","price":"１"}}}}',
        f'{buy}{{{order},"quantity":"1\\u0000","price":"1"}}}}',
        f'{buy}{{{order},"quantity":"1","price":"1","ref":"\\ud800"}}}}',
        f'{buy}{{"symbol":"NO","symbol":"{pair.base}","quantity":"1","quantity":"2","price":"1"}}}}',
        f"{buy}[]}}",
        f"{buy}null}}",
        f'{buy}"text"}}',
    ]


def _actions(venue: VenueView, trader: str) -> list[str]:
    """Other actions and flat intents with bad values, and actions of the sidechain."""
    ours = f'"contractName":"{venue.contract}"'
    pair = venue.pairs[0]
    escrow = venue.escrows[0]
    return [
        f"{{{ours}}}",
        f'{{{ours},"contractAction":null,"contractPayload":{{}}}}',
        f'{{{ours},"contractAction":{{}},"contractPayload":{{}}}}',
        f'{{{ours},"contractAction":"buy\\u0000","contractPayload":{{}}}}',
        f'{{{ours},"contractAction":"__proto__","contractPayload":{{"__proto__":{{}}}}}}',
        f'{{{ours},"contractAction":"withdraw","contractPayload":{{"symbol":"{pair.base}","quantity":true}}}}',
        f'{{{ours},"contractAction":"withdraw","contractPayload":'
        f'{{"symbol":"{pair.base}","quantity":"1","memo":"\\u0007bell"}}}}',
        f'{{{ours},"contractAction":"cancel","contractPayload":{{"id":["{trader}"]}}}}',
        f'{{{ours},"contractAction":"cancelAll","contractPayload":{{"symbol":7}}}}',
        f'{{"base":"{pair.base}","quote":"{pair.quote}","side":"buy","price":"1","amount":"1",'
        '"username":"someone.else"}',
        f'{{"base":"{pair.base}","quote":"{pair.quote}","side":"hold","price":"1","amount":"1"}}',
        '{"base":{},"quote":[],"side":null,"price":{},"amount":false}',
        f'{{"contractName":["{venue.contract}"],"contractAction":"buy","contractPayload":{{}}}}',
        f'{{"contractName":"nosuch","contractAction":"pay","contractPayload":{{"to":"{escrow}"}}}}',
        f'{{"contractName":"\\ud83d","contractAction":"{escrow}","contractPayload":{{"a":"\\udc00"}}}}',
        f'{{"contractName":"tokens","contractAction":"transfer","contractPayload":["{escrow}"]}}',
        f'{{"contractName":"tokens","contractAction":"transfer","contractPayload":'
        f'{{"symbol":"{pair.base}","to":"{escrow}","quantity":5}}}}',
        f'{{"contractName":"tokens","contractAction":"stake","contractPayload":{{"to":"{escrow}"}}}}',
    ]


def _conditions(venue: VenueView, trader: str) -> list[str]:
    """Bad stops, deadlines, grants and timers."""
    ours = f'"contractName":"{venue.contract}"'
    pair = venue.pairs[0]
    buy = f'{{{ours},"contractAction":"buy","contractPayload":'
    order = f'"symbol":"{pair.base}","quote":"{pair.quote}"'
    return [
        f'{buy}{{{order},"quantity":"1","price":"1","triggerPrice":null,"triggerWhen":"above"}}}}',
        f'{buy}{{{order},"quantity":"1","price":"1","triggerPrice":"1","triggerWhen":["above"]}}}}',
        f'{buy}{{{order},"quantity":"1","price":"1","stopPrice":1e2,"stopLimit":{{}}}}}}',
        f'{buy}{{{order},"quantity":"1","price":"1","notAfter":1e9}}}}',
        f'{buy}{{{order},"quantity":"1","price":"1","notAfter":{"9" * 30},"maxFeeBps":-0}}}}',
        f'{buy}{{{order},"quantity":"1","price":"1","for":"posting"}}}}',
        f'{buy}{{{order},"quantity":"1","price":"1","for":["{trader}"]}}}}',
        f'{{{ours},"contractAction":"cancelAllAfter","contractPayload":{{"seconds":15.0}}}}',
        f'{{{ours},"contractAction":"cancelAllAfter","contractPayload":{{"seconds":86401}}}}',
        f'{{{ours},"contractAction":"cancelWithdrawal","contractPayload":{{"id":"\\ud800"}}}}',
        f'{{{ours},"contractAction":"grant","contractPayload":{{"to":"posting","pairs":[["{pair.name}"]],'
        '"perDay":{"PEK":"1"},"bandBps":1,"until":2000000000}}',
        f'{{{ours},"contractAction":"grant","contractPayload":{{"to":"posting","pairs":["{pair.name}"],'
        '"perDay":{"__proto__":"1","PEK":1e5},"bandBps":true,"until":"2000000000"}}',
        f'{{{ours},"contractAction":"revoke","contractPayload":{{"to":{{"posting":1}}}}}}',
        f'{{{ours},"contractAction":"upgrade","contractPayload":{{"protocol":{"9" * 40},"text":7}}}}',
        f'  [ {{{ours},"contractAction":"cancelAll"}} , 7 , {{{ours},"contractAction":"cancelAll",'
        '"contractPayload":{}} ]  ',
        "\ufeff{}",
        "{} trailing",
    ]


def escaped(rng: Random, text: str) -> str:
    """JSON text with some of its letters in strings as `\\u00hh`, in either case of the digits."""
    style = rng.choice(("\\u{:04x}", "\\u{:04X}"))
    return "".join(
        style.format(ord(letter)) if letter.isalpha() and rng.random() < 0.3 else letter for letter in text
    )


def odd_transfer(rng: Random, venue: VenueView, symbol: str) -> Element:
    """A token transfer to an escrow account with an unusual quantity, recipient or memo."""
    escrow = venue.tokens[symbol].escrow
    to = rng.choice((escrow, f" {escrow}", f"{escrow}\n", escrow.upper(), "no-such-account!", escrow))
    element = token_transfer(symbol, to, rng.choice(QUANTITIES))
    payload = element["contractPayload"]
    assert isinstance(payload, dict)
    odd_memo: object = rng.choice((None, "", 7, {"a": 1}, "NUL \0 in a memo", "\ud800 alone", "x" * 300))
    if odd_memo is not None:
        payload["memo"] = odd_memo
    return element
