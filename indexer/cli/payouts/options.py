"""Options shared by the payouts commands."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from indexer.cli.support.errors import ConfigurationError

if TYPE_CHECKING:
    from settlement.payouts.chain import ChainNodes
    from settlement.payouts.policy import Policy
    from settlement.payouts.signing import Key

DEVNET: Final = "devnet"

log = logging.getLogger("peakedex.payouts")


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


def read_checkpoint_key(texts: Mapping[str, str], variable: str, every: int) -> Key | None:
    """The operator's key; None, with the reason logged, if checkpoints are not to be posted."""
    from settlement.payouts.signing import Key, SigningError

    if not every or variable not in texts:
        reason = f"{variable} is not set" if every else "checkpoint-every is 0"
        log.info("checkpoints are not posted: %s", reason)
        return None
    try:
        return Key(texts[variable])
    except SigningError as error:
        log.warning("checkpoints are not posted: %s: %s", variable, error)
        return None
