"""Client of the exchange: packaging, and what it builds."""
