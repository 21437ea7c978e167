"""The same node under two spellings is one node: it must not agree with itself."""

from __future__ import annotations

import pytest

from indexer.sources.hive import HiveSource, NoReceipts
from indexer.sources.sidechain import Sidechain
from settlement.core.events import VenueFilter
from settlement.net.node_urls import distinct
from settlement.payouts.chain.nodes import ChainNodes

SAME = ("https://api.example", "https://api.example/", "https://API.example:443", "http://api.example")


def test_spellings_of_one_node() -> None:
    assert distinct(SAME) == SAME[:1]
    assert distinct(("https://a.example/rpc/", "https://a.example/rpc")) == ("https://a.example/rpc/",)
    assert distinct(("http://x:99999999", "http://x:99999999", "")) == ("http://x:99999999", "")


def test_other_hosts_ports_and_paths_are_other_nodes() -> None:
    urls = ("http://h:8090", "http://h:8091", "http://i:8090", "http://h:8090/rpc", "http://h:8090/?n=2")
    assert distinct(urls) == urls


def test_no_list_of_nodes_counts_one_twice() -> None:
    nodes = ChainNodes(SAME, SAME)
    assert (len(nodes.hive), len(nodes.sidechain)) == (1, 1)
    watch = VenueFilter("peakedex", "ssc-mainnet-hive", True, frozenset())
    with pytest.raises(ValueError, match="a quorum of 2 needs at least 2 Hive nodes; 1 are given"):
        HiveSource(SAME, NoReceipts(), watch, quorum=2)
    assert len(Sidechain(SAME).report()) == 1
