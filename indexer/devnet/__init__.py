"""A local Hive chain and Hive-Engine sidechain behind the public nodes' JSON-RPC, for the demo and tests.

`hive` and `sidechain` are the two chains, `rpc` their JSON-RPC methods, `server` the HTTP server over a
`DevNode`, `traders` the trading bots, and `generator` makes long chains from a seed.

It moves money without signatures and its keys can be derived by anyone, so it must listen on the loopback
address only. Only the command line and tests import it.
"""

from indexer.devnet.faults import Faults
from indexer.devnet.generator.generate import GeneratedChain, Generator, generate
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import Devnet, NodeServer, start_devnet
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.traders.bots import Bots
from indexer.devnet.venue import VenueView, demo_venue, read_venue

__all__ = [
    "Bots",
    "Chain",
    "DevNode",
    "Devnet",
    "Faults",
    "GeneratedChain",
    "Generator",
    "NodeServer",
    "Sidechain",
    "VenueView",
    "demo_venue",
    "generate",
    "read_venue",
    "start_devnet",
]
