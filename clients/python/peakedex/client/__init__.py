"""Client of a Peake DEX exchange: market data, and orders that are signed here and followed to their end.

`Api` and `stream` read and need no key. `Trader` signs with a `KeySigner` or `CallbackSigner`, sends to
`HiveNodes`, and keeps a journal of what it signed. docs/bots.md is the guide.
"""

from peakedex.client.amounts import Amount
from peakedex.client.api import Api
from peakedex.client.errors import (
    ApiError,
    ClientError,
    ConnectionFailed,
    InputError,
    JournalError,
    KeyMissing,
    NodeRefused,
    NodesFailed,
    ReferenceUsed,
    SigningFailed,
)
from peakedex.client.intents import Intent, Intents, ProtectiveStop, Trigger
from peakedex.client.nodes import DEVNET, PUBLIC_NODES, HiveNodes
from peakedex.client.signing import MAINNET, CallbackSigner, KeySigner, Signer, Transaction
from peakedex.client.stream import LiveBook, stream
from peakedex.client.tickets import State, Ticket
from peakedex.client.trader import Trader

__all__ = [
    "DEVNET",
    "MAINNET",
    "PUBLIC_NODES",
    "Amount",
    "Api",
    "ApiError",
    "CallbackSigner",
    "ClientError",
    "ConnectionFailed",
    "HiveNodes",
    "InputError",
    "Intent",
    "Intents",
    "JournalError",
    "KeyMissing",
    "KeySigner",
    "LiveBook",
    "NodeRefused",
    "NodesFailed",
    "ProtectiveStop",
    "ReferenceUsed",
    "Signer",
    "SigningFailed",
    "State",
    "Ticket",
    "Trader",
    "Transaction",
    "Trigger",
    "stream",
]
