"""The codes of rejection (protocol, section 4), with the sentence that an API or a log shows."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Why an intent had no effect. A rejection is a value, never an exception."""

    E_INPUT = "E_INPUT"
    E_PRECISION = "E_PRECISION"
    E_RANGE = "E_RANGE"
    E_AUTH = "E_AUTH"
    E_PAIR = "E_PAIR"
    E_PAUSED = "E_PAUSED"
    E_FUNDS = "E_FUNDS"
    E_LIMIT = "E_LIMIT"
    E_POST_ONLY = "E_POST_ONLY"
    E_FOK = "E_FOK"
    E_NOT_FOUND = "E_NOT_FOUND"
    E_OWNER = "E_OWNER"
    E_SELF_TRADE = "E_SELF_TRADE"
    E_NO_LIQUIDITY = "E_NO_LIQUIDITY"
    E_TOKEN = "E_TOKEN"


SENTENCES: Final[dict[Code, str]] = {
    Code.E_INPUT: "The intent is malformed: a field is missing or has a value that is not allowed.",
    Code.E_PRECISION: "An amount or price has more decimals than the pair or token allows.",
    Code.E_RANGE: "An amount is larger than the exchange can hold.",
    Code.E_AUTH: "The intent was not signed with the active key of the account that may do this.",
    Code.E_PAIR: "There is no such pair, or it exists already.",
    Code.E_PAUSED: "The pair takes no orders now.",
    Code.E_FUNDS: "The account does not have enough available.",
    Code.E_LIMIT: "The account has too many open orders.",
    Code.E_POST_ONLY: "A post-only order would have traded at once.",
    Code.E_FOK: "The order could not be filled whole.",
    Code.E_NOT_FOUND: "There is no open order or pending withdrawal of that id.",
    Code.E_OWNER: "The order belongs to another account.",
    Code.E_SELF_TRADE: "The order would have traded with the account's own order.",
    Code.E_NO_LIQUIDITY: "Nothing on the book could fill the order.",
    Code.E_TOKEN: "The token is not listed, is listed already, or is not possible for that chain.",
}
