"""Verification of a snapshot with a Hive node: its block id and the newest checkpoint."""

from __future__ import annotations

from indexer.chain.blocks import Block, BlockError
from indexer.chain.decode import decode
from indexer.sources.hive_client import HiveClient
from indexer.sources.source import SourceError
from settlement.core.events import Action
from settlement.core.venue import Venue
from settlement.net.http_client import NodeError
from settlement.store.write.snapshot import CheckpointClaim, SnapshotError, SnapshotHead


def confirm_block(node: str, head: SnapshotHead) -> None:
    """Raise SnapshotError unless the node has the snapshot's block, SourceError if it does not respond."""
    if head.block_id is None:
        return
    found = _block(node, head.block).header.block_id
    if found != head.block_id:
        raise SnapshotError(
            f"it belongs to another chain: block {head.block} is {head.block_id}, but {found} at {node}"
        )


def confirm_claim(node: str, claim: CheckpointClaim, venue: Venue) -> None:
    """Raise SnapshotError unless the venue published that checkpoint, SourceError without a response."""
    try:
        events = list(decode(_block(node, claim.block), venue.filter))
    except BlockError as error:
        raise SourceError(f"{node}: {error}") from None
    if not any(isinstance(event, Action) and _is_claim(event, claim, venue) for event in events):
        raise SnapshotError(
            f"{node} has no such checkpoint of {claim.account}: block {claim.block}, id {claim.id}"
        )


def _is_claim(action: Action, claim: CheckpointClaim, venue: Venue) -> bool:
    payload = action.payload
    return (
        (action.id, action.signer, action.active, action.name)
        == (claim.id, claim.account, True, "checkpoint")
        and claim.account in (venue.operator, venue.checkpoint_account)
        and isinstance(payload, dict)
        and str(payload.get("block")) == str(claim.claimed_block)
        and (payload.get("stateHash"), payload.get("journalHash")) == (claim.state_hash, claim.journal_hash)
    )


def _block(node: str, number: int) -> Block:
    client = HiveClient([node])
    try:
        found = client.block_range(number, 1)
        if not found:
            raise SourceError(f"{node} has no block {number} yet")
        block = Block(found[0])
        if block.header.number != number:
            raise SourceError(f"{node} returned block {block.header.number} instead of {number}")
        return block
    except (NodeError, BlockError) as error:
        raise SourceError(str(error)) from None
    finally:
        client.close()
