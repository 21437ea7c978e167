"""Options shared by the payouts commands."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from indexer.cli.support.errors import ConfigurationError
from indexer.cli.support.nodes import expected_chain
from settlement.net.chain_id import DEVNET, MAINNET

if TYPE_CHECKING:
    from settlement.payouts.chain.nodes import ChainNodes
    from settlement.payouts.policy import Policy
    from settlement.payouts.signing.transactions import Key

log = logging.getLogger("peakedex.payouts")


class PayoutOptions(NamedTuple):
    """Options of the payouts commands, as the settings of these names describe them."""

    venue: Path | None
    db: str | None
    node: tuple[str, ...]
    chain_id: str | None
    payout_expires_in: int
    payout_limit: tuple[str, ...]
    payout_hour_limit: tuple[str, ...]
    # Of the payouts process alone:
    engine_node: tuple[str, ...] = ()
    cosign_relay: tuple[str, ...] = ()
    checkpoint_every: int = 0
    checkpoint_key_env: str = ""
    log_level: str = "info"
    log_format: str = "text"
    first_run: bool = False
    hold: bool = False

    def policy(self) -> Policy:
        """The payout policy. Raises ConfigurationError."""
        from settlement.payouts.policy import Policy, PolicyError, read_limits

        limits, hour_limits = self.payout_limit, self.payout_hour_limit
        try:
            return Policy(self.payout_expires_in, read_limits(limits), read_limits(hour_limits))
        except PolicyError as error:
            raise ConfigurationError(error) from error

    def resolve_chain_id(self, nodes: ChainNodes) -> str:
        """The chain id to sign for: as given, a devnet's own, or the main network's.

        Raises ChainError and ConfigurationError.
        """
        if self.chain_id == DEVNET:
            return nodes.devnet_chain_id()
        expected_chain(self.chain_id)
        return self.chain_id or MAINNET


SHARED_SETTINGS: Final = (
    *("venue", "db", "node", "chain-id", "payout-expires-in", "payout-limit", "payout-hour-limit"),
)


def read_checkpoint_key(texts: Mapping[str, str], variable: str, every: int) -> Key | None:
    """The checkpoint account's key; None, with the reason logged, if checkpoints are not to be posted."""
    from settlement.payouts.signing.transactions import Key, SigningError

    if not every or variable not in texts:
        reason = f"{variable} is not set" if every else "checkpoint-every is 0"
        log.info("checkpoints are not posted: %s", reason)
        return None
    try:
        return Key(texts[variable])
    except SigningError as error:
        log.warning("checkpoints are not posted: %s: %s", variable, error)
        return None
