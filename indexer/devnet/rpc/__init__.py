"""JSON-RPC methods of the simulated nodes."""
