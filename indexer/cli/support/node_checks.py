"""Node checks of an archive by `peakedex verify`: its last block, the checkpoint, a sample of blocks."""

from __future__ import annotations

from typing import Any, Final

from indexer.audit.compare import Mismatch, MismatchFound, TargetUnavailable
from indexer.audit.sampling import BlockSampler, ReceiptsChecker, SampleChecker, chance, detectable
from indexer.chain.blocks import Block, BlockError
from indexer.chain.integrity.merkle import local_verifier
from indexer.cli.support.errors import CheckFailed, ConfigurationError
from indexer.ops.backup.chain_check import confirm_claim
from indexer.sources.hive_client import HiveClient
from indexer.sources.source import SourceError
from settlement.core.events import BlockHeader
from settlement.core.venue import Venue
from settlement.net.chain_id import ExpectedChain
from settlement.net.http_client import NodeError
from settlement.store.write.snapshot import CheckpointClaim, SnapshotError

_WANTED: Final = (0.95, 0.99)
_NOT_ASKED: Final = "not confirmed, no Hive node was asked: add --node URL"


class NodeChecks:
    """Asks each node; without nodes the facts say so."""

    def __init__(
        self,
        nodes: tuple[str, ...],
        chain: ExpectedChain,
        venue: Venue,
        last: BlockHeader | None,
        claim: CheckpointClaim | None,
    ) -> None:
        self._nodes = nodes
        self._chain = chain
        self._venue = venue
        self._last = last
        self._claim = claim

    def run(self) -> dict[str, str]:
        """Facts about checkpoint and chain. Raises MismatchFound and CheckFailed."""
        for node in self._nodes:
            self._confirm_last(node)
            if self._claim is not None:
                try:
                    confirm_claim(node, self._claim, self._venue)
                except SnapshotError as error:
                    raise CheckFailed(error) from None
                except SourceError as error:
                    raise ConfigurationError(f"--node: {error}") from None
        by = f"confirmed by {', '.join(self._nodes)}" if self._nodes else _NOT_ASKED
        claim = self._claim
        if claim is None:
            checkpoint = "none compared: no checkpoint was found, or it is newer than the last block"
        else:
            checkpoint = (
                f"same hashes as the checkpoint of block {claim.claimed_block}, posted by {claim.account} in "
                f"block {claim.block}: {by}"
            )
        return {"checkpoint": checkpoint, "last_block_id": by}

    def _confirm_last(self, node: str) -> None:
        """The id of the last block covers all before it."""
        last = self._last
        if last is None:
            return
        client = HiveClient([node], chain=self._chain)
        try:
            texts = client.block_range(last.number, 1)
            if not texts:
                raise ConfigurationError(f"--node: {node} has no block {last.number} yet")
            theirs = Block(texts[0]).block_id
        except (NodeError, BlockError) as error:
            raise ConfigurationError(f"--node: {error}") from None
        finally:
            client.close()
        if theirs != last.block_id:
            cause = f"the second one is of {node}: the archive is of another chain, or forged"
            raise MismatchFound(Mismatch("block id", last.number, None, last.block_id, theirs, cause))

    def sample(self, sampler: BlockSampler | None, engine_nodes: tuple[str, ...]) -> dict[str, Any]:
        """Compare a sample with the nodes' blocks and receipts; returns what it shows, with which odds."""
        if sampler is None:
            return {}
        checker = SampleChecker(self._nodes, self._chain, self._venue.filter, local_verifier())
        try:
            checker.check(sampler)
        except TargetUnavailable as error:
            raise ConfigurationError(f"--node: {error}") from None
        try:
            if engine_nodes:
                ReceiptsChecker(engine_nodes, self._venue.filter).check(sampler)
        except TargetUnavailable as error:
            raise ConfigurationError(f"--engine-node: {error}") from None
        total, size = sampler.headers.seen, len(sampler.headers.items)
        whole = len(sampler.blocks.items)
        is_verified = checker.verified >= size + whole
        word = "their transactions match the headers" if is_verified else "by the word of the nodes"
        facts = {
            "sampled": f"{size:,} of {total:,} blocks published as headers only hold no operation of the "
            f"exchange, {word}"
        }
        if size:
            facts["odds"] = odds(total, size)
        if whole:
            facts["sampled_whole"] = (
                f"{whole:,} of {sampler.blocks.seen:,} whole blocks: as the nodes have them"
            )
        receipts = len(sampler.receipts.items)
        if receipts:
            facts["sampled_receipts"] = (
                f"of {receipts:,} of {sampler.receipts.seen:,} blocks: as the Hive-Engine nodes have them"
                if engine_nodes
                else "none, no Hive-Engine node was asked: add --engine-node URL"
            )
        return facts


def odds(total: int, size: int) -> str:
    """With which probability a sample finds how many hidden blocks, in words."""
    if size == total:
        return "all of them were read: nothing is hidden"
    parts = [
        f"{count:,} hidden blocks ({count / total:.3%}) or more with {wanted:.0%}"
        for wanted in _WANTED
        for count in (detectable(total, size, wanted),)
    ]
    return f"it finds {', '.join(parts)}, a single one with {chance(total, size, 1):.3%}"
