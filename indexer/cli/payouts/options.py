"""Options shared by the payouts commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from indexer.cli.support.errors import ConfigurationError

if TYPE_CHECKING:
    from settlement.payouts.chain import ChainNodes
    from settlement.payouts.policy import Policy

DEVNET: Final = "devnet"


def read_policy(expires_in: int, limits: Iterable[str], hour_limits: Iterable[str]) -> Policy:
    """The payout policy of the settings. Raises ConfigurationError."""
    from settlement.payouts.policy import Policy, PolicyError, read_limits

    try:
        return Policy(expires_in, read_limits(limits), read_limits(hour_limits))
    except PolicyError as error:
        raise ConfigurationError(error) from error


def resolve_chain_id(text: str | None, nodes: ChainNodes) -> str:
    """The chain id to sign for: as given, a devnet's own, or the main network's.

    Raises ChainError and ConfigurationError.
    """
    from settlement.payouts.signing import MAINNET, SigningError, check_chain_id

    if text == DEVNET:
        return nodes.hive[0].devnet_chain_id()
    try:
        return check_chain_id(text or MAINNET)
    except SigningError as error:
        raise ConfigurationError(f"--chain-id: {error}") from error
