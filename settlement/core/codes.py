"""Rejection codes (protocol, section 5) and the sentence that the API and logs show for each."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Why an intent was rejected. The rules return a code; they never raise for bad input."""

    E_INPUT = "E_INPUT"
    E_AUTH = "E_AUTH"
    E_GRANT = "E_GRANT"
    E_LATE = "E_LATE"
    E_NOT_FOUND = "E_NOT_FOUND"
    E_OWNER = "E_OWNER"
    E_TOKEN = "E_TOKEN"
    E_PAIR = "E_PAIR"
    E_PAUSED = "E_PAUSED"
    E_PRECISION = "E_PRECISION"
    E_RANGE = "E_RANGE"
    E_FEE = "E_FEE"
    E_LIMIT = "E_LIMIT"
    E_MINIMUM = "E_MINIMUM"
    E_TRIGGER = "E_TRIGGER"
    E_FUNDS = "E_FUNDS"
    E_POST_ONLY = "E_POST_ONLY"
    E_FOK = "E_FOK"
    E_SELF_TRADE = "E_SELF_TRADE"
    E_NO_LIQUIDITY = "E_NO_LIQUIDITY"


SENTENCES: Final[dict[Code, str]] = {
    Code.E_INPUT: "Invalid request: a field is missing or has an invalid value.",
    Code.E_AUTH: "Not authorized: the account's active key, or a grant, is required.",
    Code.E_GRANT: "Outside the grant: its actions, pairs, price band or daily allowance.",
    Code.E_LATE: "Too late: the deadline had passed before the block.",
    Code.E_NOT_FOUND: "No open order, stop, pending withdrawal or grant with this id.",
    Code.E_OWNER: "The order or withdrawal belongs to another account.",
    Code.E_TOKEN: "Token not listed, or already listed.",
    Code.E_PAIR: "Pair not listed, or already listed.",
    Code.E_PAUSED: "Trading in this pair is paused or closed.",
    Code.E_PRECISION: "Too many decimals: an amount or price is finer than the pair or token allows.",
    Code.E_RANGE: "Amount too large.",
    Code.E_FEE: "The taker fee is above the maximum that the order allows.",
    Code.E_LIMIT: "Too many open orders, pending withdrawals or grants.",
    Code.E_MINIMUM: "Below the token's minimum withdrawal.",
    Code.E_TRIGGER: "The trigger price has been reached already.",
    Code.E_FUNDS: "Insufficient funds.",
    Code.E_POST_ONLY: "Post-only order would execute immediately.",
    Code.E_FOK: "Fill-or-kill order could not be filled completely.",
    Code.E_SELF_TRADE: "Order would trade against your own order.",
    Code.E_NO_LIQUIDITY: "No matching orders in the order book.",
}
