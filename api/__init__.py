"""Read-only HTTP API and static site over the exchange's database. It never writes."""
