"""A local Hive chain and Hive-Engine sidechain behind the public nodes' JSON-RPC, for the demo and tests.

`hive` and `sidechain` are the two chains, `rpc` their JSON-RPC methods, `server` the HTTP server over a
`DevNode`, `traders` the trading bots, and `generator` makes long chains from a seed.

It moves money without signatures and its keys can be derived by anyone, so it must listen on the loopback
address only. Only the command line and tests import it.
"""
