"""CCXT's exceptions for what the client raises, and for what the venue rejects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import ccxt

from peakedex.client import (
    ApiError,
    ClientError,
    ConnectionFailed,
    InputError,
    JournalError,
    KeyMissing,
    NodesFailed,
    ReferenceUsed,
    SigningFailed,
    Ticket,
)

_BY_CODE: Final[dict[str, Any]] = {
    "E_AUTH": ccxt.PermissionDenied,
    "E_GRANT": ccxt.PermissionDenied,
    "E_NOT_FOUND": ccxt.OrderNotFound,
    "E_OWNER": ccxt.OrderNotFound,
    "E_PAIR": ccxt.BadSymbol,
    "E_TOKEN": ccxt.BadSymbol,
    "E_PAUSED": ccxt.MarketClosed,
    "E_FUNDS": ccxt.InsufficientFunds,
    "E_POST_ONLY": ccxt.OrderImmediatelyFillable,
    "E_FOK": ccxt.OrderNotFillable,
    "E_NO_LIQUIDITY": ccxt.OrderNotFillable,
}
_BY_TYPE: Final[tuple[tuple[type[ClientError], Any], ...]] = (
    (ReferenceUsed, ccxt.DuplicateOrderId),
    (InputError, ccxt.BadRequest),
    (KeyMissing, ccxt.AuthenticationError),
    (SigningFailed, ccxt.AuthenticationError),
    (ConnectionFailed, ccxt.NetworkError),
    (NodesFailed, ccxt.ExchangeNotAvailable),
    (JournalError, ccxt.ExchangeError),
)


@contextmanager
def translated() -> Iterator[None]:
    """Raise the client's errors as CCXT's, with the same text."""
    try:
        yield
    except ApiError as error:
        raise _of_api(error)(f"peakedex {error}") from None
    except ClientError as error:
        kind = next((made for of, made in _BY_TYPE if isinstance(error, of)), ccxt.ExchangeError)
        raise kind(f"peakedex {error}") from None


def rejection(ticket: Ticket) -> Any:
    """The exception for an intent that the venue rejected, or that got into no block."""
    if ticket.code is None:
        return ccxt.ExchangeNotAvailable(
            f"peakedex {ticket.id} is in no block: {ticket.reason or 'it expired'}"
        )
    kind = _BY_CODE.get(ticket.code, ccxt.InvalidOrder)
    return kind(f"peakedex {ticket.code}: {ticket.reason}")


def _of_api(error: ApiError) -> Any:
    if error.status == 429:
        return ccxt.RateLimitExceeded
    if error.status >= 500:
        return ccxt.ExchangeNotAvailable
    return _BY_CODE.get(error.code, ccxt.BadRequest) if error.status != 200 else ccxt.BadResponse
