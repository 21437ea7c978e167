"""Rejection codes (protocol, section 4) and the sentence that the API and logs show for each."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Why an intent was rejected. The rules return a code; they never raise for bad input."""

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
    Code.E_INPUT: "Invalid request: a field is missing or has an invalid value.",
    Code.E_PRECISION: "Too many decimals: an amount or price is finer than the pair or token allows.",
    Code.E_RANGE: "Amount too large.",
    Code.E_AUTH: "Not authorized: the account's active key must sign this action.",
    Code.E_PAIR: "Unknown pair, or pair already listed.",
    Code.E_PAUSED: "Trading in this pair is paused or closed.",
    Code.E_FUNDS: "Insufficient funds.",
    Code.E_LIMIT: "Too many open orders.",
    Code.E_POST_ONLY: "Post-only order would execute immediately.",
    Code.E_FOK: "Fill-or-kill order could not be filled completely.",
    Code.E_NOT_FOUND: "No open order or pending withdrawal with this id.",
    Code.E_OWNER: "The order belongs to another account.",
    Code.E_SELF_TRADE: "Order would trade against your own order.",
    Code.E_NO_LIQUIDITY: "No matching orders in the order book.",
    Code.E_TOKEN: "Token not listed, already listed, or not possible on this chain.",
}
