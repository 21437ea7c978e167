"""A local simulated Hive and Hive-Engine node that real clients can talk to: for demo and tests.

    operations ── packing ── keys           what Hive's bytes are: ids, merkle roots, signatures
    accounts ── authority ── chain          the chain: balances, who may sign, blocks, forks
    actions ── quantity ── sidechain        the token sidechain that follows it, and its receipts
    node ── server ── rpc ── hive_* ── engine_api ── dev_api ── faults      both of them over HTTP
    venue ── intents ── flow ── bots ── submit                               a market that lives
    hostile ── scenario ── generate                                         long chains out of a seed

Nothing outside imports this package but the composition root. It moves money without signatures, holds
keys that anyone can derive, and belongs on the loopback address only.
"""

from indexer.devnet.faults import Faults
from indexer.devnet.generator.generate import Generated, Generator, generate, write_archive
from indexer.devnet.hive.chain import Chain
from indexer.devnet.node import DevNode
from indexer.devnet.server import Devnet, NodeServer, start_devnet
from indexer.devnet.sidechain.chain import Sidechain
from indexer.devnet.traders.bots import Bots, run_bots
from indexer.devnet.traders.submit import HttpSubmit, Submit
from indexer.devnet.venue import VenueView, demo_venue, read_venue

__all__ = [
    "Bots",
    "Chain",
    "DevNode",
    "Devnet",
    "Faults",
    "Generated",
    "Generator",
    "HttpSubmit",
    "NodeServer",
    "Sidechain",
    "Submit",
    "VenueView",
    "demo_venue",
    "generate",
    "read_venue",
    "run_bots",
    "start_devnet",
    "write_archive",
]
