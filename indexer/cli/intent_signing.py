"""Signing and broadcasting of one operation, with a key from the environment. The key is never printed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import click

from indexer.cli.support.common import show
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.cli.support.nodes import expected_chain
from indexer.intents.drafts import Operation
from settlement.net.chain_id import DEVNET, MAINNET
from settlement.payouts.chain.chain_time import check_clock
from settlement.payouts.chain.nodes import ChainError, ChainPosition, HiveNode
from settlement.payouts.signing.transactions import Key, SignedTransaction, SigningError, Transaction


@dataclass(frozen=True, slots=True)
class Signing:
    """How an operation is signed, and where it is sent."""

    account: str
    role: str  # active or posting
    key_env: str  # the environment variable with the private key
    nodes: tuple[str, ...]
    chain_id: str | None
    expires_in: int  # seconds
    as_json: bool


def sign_and_broadcast(operation: Operation, signing: Signing) -> None:
    """Sign an operation, broadcast it once, and print what became of it.

    Raises CheckFailed if the node rejects it or the outcome is unknown.
    """
    try:
        key = _key(signing)
        node, position, chain_id = _chain(signing)
        unsigned = Transaction.after(position.block_id, position.time + signing.expires_in, operation)
        signed = SignedTransaction(unsigned, (key.sign(unsigned, chain_id),))
    except (ChainError, SigningError) as error:
        raise CheckFailed(error) from None
    # Printed before the broadcast, so that the transaction can be found whatever happens.
    click.echo(f"transaction {signed.id}, expires {signed.expiration}Z", err=True)
    outcome = node.broadcast(signed)
    _report(signed, outcome.status, outcome.reason, node, signing)


def _report(signed: SignedTransaction, status: str, reason: str, node: HiveNode, signing: Signing) -> None:
    values: dict[str, object] = {
        "transaction_id": signed.id,
        "expiration": f"{signed.expiration}Z",
        "status": status,
        "node": node.url,
    }
    if reason:
        values["reason"] = reason
    if signing.as_json:
        values["operation"] = signed.to_json()["operations"]
    show(values, as_json=signing.as_json)
    if status == "unknown":
        raise CheckFailed(
            f"unknown outcome of transaction {signed.id}: see /api/intents/{signed.id} or a block explorer. "
            f"Do not sign it again before {signed.expiration}Z, or both could be executed"
        )
    if status == "refused":
        hint = ""
        if f"missing required {signing.role} authority" in reason:
            hint = (
                f"; check that the key is the account's {signing.role} key and the chain id that of the "
                "node's chain"
            )
        raise CheckFailed(f"rejected by the node: {reason}{hint}")


def _key(signing: Signing) -> Key:
    text = os.environ.get(signing.key_env, "").strip()
    if not text:
        raise ConfigurationError(
            f"no key: set the environment variable {signing.key_env} to the private {signing.role} key of "
            f"{signing.account}, or choose another variable with --key-env"
        )
    try:
        return Key(text)
    except SigningError as error:
        raise ConfigurationError(f"{signing.key_env}: {error}") from None


def _chain(signing: Signing) -> tuple[HiveNode, ChainPosition, str]:
    """The first node that responds, its chain's position, and the chain id to sign for."""
    failure = ChainError("no node: use --node URL")
    chain = expected_chain(signing.chain_id)
    for at, url in enumerate(signing.nodes):
        node = HiveNode(url, chain=chain)
        try:
            is_devnet = signing.chain_id == DEVNET
            chain_id = node.devnet_chain_id() if is_devnet else signing.chain_id or MAINNET
            position = node.position()
            if chain_id == MAINNET:
                check_clock(position, time.time())
        except ChainError as error:
            failure = failure if at else error
        else:
            return node, position, chain_id
    raise failure
