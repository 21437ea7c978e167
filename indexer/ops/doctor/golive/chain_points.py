"""Points that the two chains answer: accounts, authorities, keys, resource credits, tokens, start block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from indexer.chain.blocks import Block, BlockError, seconds_of
from indexer.ops.doctor.escrow import OnChain, listed, read_on_chain, restricted, tokens_of
from indexer.ops.doctor.golive import resources
from indexer.ops.doctor.golive.accounts import Account, Role, Signers, read_accounts
from indexer.ops.doctor.golive.points import Point, Section
from indexer.ops.doctor.golive.scene import Scene
from indexer.ops.doctor.hive import HiveNode
from settlement.core.events import HIVE
from settlement.core.venue import Venue
from settlement.net.http_client import NodeError

ROLES: Final[tuple[Role, ...]] = ("owner", "active")
FIX_VENUE: Final = "first the points above: a valid venue file, and a node that answers"
_HISTORY_ROWS: Final = 1000
_SHOWN_DIGITS: Final = 11  # of a public key
_MAX_LINES: Final = 20
"""Problems shown of one point."""


def accounts(scene: Scene) -> Iterator[Point]:
    """Whether all accounts exist."""
    section, node = Section("Accounts"), scene.hive
    if scene.venue is None or node is None:
        yield section.unknown("no venue file, or no Hive node", FIX_VENUE)
        return
    try:
        found = scene.accounts = read_accounts(node.client, scene.names)
    except NodeError as error:
        yield section.unknown(f"the accounts cannot be read: {error}", "try again, or use another --node")
        return
    missing = [name for name in scene.names if name not in found]
    for name in missing:
        yield section.not_yet(
            f"{_duty(scene.venue, name)} {name} does not exist", "register it before someone else does"
        )
    if not missing:
        yield section.ok(f"all {len(scene.names)} exist: {', '.join(scene.names)}")


def _duty(venue: Venue, name: str) -> str:
    duties = [
        duty
        for duty, holder in (
            ("operator", venue.operator),
            ("checkpoint account", venue.checkpoint_account),
            ("fee account", venue.fee_account),
        )
        if holder == name
    ]
    symbols = ", ".join(token.symbol for token in venue.tokens if token.escrow == name)
    return " and ".join([*duties, *([f"escrow account of {symbols}"] if symbols else [])])


def _missing(section: Section, scene: Scene, names: Iterable[str]) -> list[Point]:
    """The accounts among these that do not exist: the point cannot tell."""
    known = scene.accounts or {}
    missing = [name for name in names if name not in known]
    if not missing:
        return []
    return [section.unknown(f"not registered: {', '.join(missing)}", "register what point 4 names")]


def authorities(scene: Scene) -> Iterator[Point]:
    """Whether the escrow accounts are k of n, and payouts can sign for them and for checkpoints."""
    section, known = Section("Authorities"), scene.accounts
    if scene.venue is None or known is None:
        yield section.unknown("the accounts are not known", FIX_VENUE)
        return
    problems = _missing(section, scene, (*scene.escrows, scene.venue.checkpoint_account))
    shown = []
    for account in (known[name] for name in scene.escrows if name in known):
        name = account.name
        for role in ROLES:
            problems += _escrow_problems(section, scene, account, role)
        active = Signers(account.active, known)
        shown.append(f"{name} {active.fewest()} of {len(active.paths())}")
    checkpoint = known.get(scene.venue.checkpoint_account)
    if checkpoint is not None and Signers(checkpoint.active, known).fewest() != 1:
        problems.append(
            section.not_yet(
                f"{checkpoint.name} needs several signatures: payouts post checkpoints with one key",
                "give it an active authority with threshold 1",
            )
        )
    yield from _shortened(section, problems) or [section.ok(f"keys that must sign: {', '.join(shown)}")]


def _escrow_problems(section: Section, scene: Scene, account: Account, role: Role) -> Iterator[Point]:
    """What is wrong with one authority of an escrow account."""
    assert scene.accounts is not None
    authority, known = account.authority(role), scene.accounts
    signers = Signers(authority, known)
    fewest, where = signers.fewest(), f"{account.name}, {role} authority"
    cure = f"sign the account_update of section {section.number} of docs/go-live.md with its owner keys"
    if fewest is None:
        yield section.not_yet(f"{where}: no keys reach its threshold {authority.weight_threshold}", cure)
        return
    if fewest == 0:
        yield section.not_yet(f"{where}: its threshold is 0, nobody has to sign", cure)
    is_single = scene.wanted.is_single_signer and len(signers.paths()) == 1
    if fewest == 1 and not is_single:
        for key, path in signers.sole().items():
            more = "" if scene.wanted.is_single_signer else ", or accept one key with --single-signer"
            yield section.not_yet(f"{where}: one key suffices, {_short(key)}{path}", cure + more)
    for name, _ in authority.account_auths:
        member = known.get(name)
        inner = [] if member is None else [each for each, _ in member.active.account_auths]
        if inner:
            yield section.not_yet(
                f"{where}: {', '.join(inner)} can sign for its member {name}",
                f"remove it from the active account_auths of {name}, as section {section.number} shows",
            )
    if role == "active" and signers.payable_weight() < authority.weight_threshold:
        yield section.not_yet(
            f"{where}: payouts reach weight {signers.payable_weight()} of {authority.weight_threshold}",
            "name keys, or accounts whose own keys suffice for them",
        )


def keys(scene: Scene) -> Iterator[Point]:
    """Whether the escrow accounts' keys are used nowhere else, and memo keys only as memo keys."""
    section, known = Section("Keys"), scene.accounts
    if scene.venue is None or known is None:
        yield section.unknown("the accounts are not known", FIX_VENUE)
        return
    problems = _missing(section, scene, scene.names)
    escrow_keys: dict[str, str] = {}
    for account in (known[name] for name in scene.escrows if name in known):
        for role in ROLES:
            for key in Signers(account.authority(role), known).paths():
                escrow_keys.setdefault(key, f"{account.name}, {role} authority")
    others = (scene.venue.operator, scene.venue.checkpoint_account, scene.venue.fee_account)
    for name in dict.fromkeys(others):
        own = known[name].own_keys() if name in known else set()
        for key in sorted(own & escrow_keys.keys()):
            problems.append(
                section.not_yet(
                    f"{_short(key)} of {name} also counts for {escrow_keys[key]}",
                    f"give {name} keys of its own: whoever pays does not need them",
                )
            )
    for account in (known[name] for name in scene.names if name in known):
        place = escrow_keys.get(account.memo_key)
        if account.memo_key in account.own_keys() or place is not None:
            problems.append(
                section.not_yet(
                    f"the memo key of {account.name} also signs for {place or account.name}",
                    "set another memo key with account_update: memo keys lie in wallets and servers",
                )
            )
    yield from _shortened(section, problems) or [
        section.ok("operator, checkpoint and fee account share no key with escrow; memo keys only read memos")
    ]


def _shortened(section: Section, problems: list[Point]) -> list[Point]:
    """The first problems, and how many others there are."""
    if len(problems) <= _MAX_LINES:
        return problems
    more = section.not_yet(f"and {len(problems) - _MAX_LINES} more", "correct these first")
    return [*problems[:_MAX_LINES], more]


def _short(key: str) -> str:
    return f"{key[:_SHOWN_DIGITS]}…"


def credits(scene: Scene) -> Iterator[Point]:
    """Whether the accounts that sign have the resource credits for it."""
    section, node = Section("Resource credits"), scene.hive
    if scene.venue is None or node is None or scene.accounts is None:
        yield section.unknown("the accounts are not known", FIX_VENUE)
        return
    needs = _needs(scene.venue)
    try:
        prices = resources.read_prices(node.client)
        held = resources.read_credits(node.client, needs, node.head_time)
        problems = _missing(section, scene, needs)
        for name, (transfers, actions) in needs.items():
            if name not in scene.accounts:
                continue
            wanted = transfers * prices.transfer + actions * prices.custom_json
            have = held.get(name, resources.Credits(0, 0))
            power = resources.read_hive_power(node.client, wanted)
            if have.most < wanted:
                problems.append(
                    section.not_yet(
                        f"{name} has at most {have.most:,} RC and needs {wanted:,}",
                        f"power up {power} HIVE to it, or delegate RC: then it acts every day",
                    )
                )
            elif have.current < wanted // resources.REGENERATION_DAYS:
                problems.append(
                    section.not_yet(
                        f"{name} has used up its RC: {have.current:,} of {have.most:,}",
                        f"wait: they return within {resources.REGENERATION_DAYS} days, or power up more",
                    )
                )
    except (NodeError, ValueError) as error:
        cure = "use a --node with rc_api; section 7 of docs/go-live.md has the figures"
        yield section.unknown(f"resource credits cannot be read: {error}", cure)
        return
    source = "by the node's averages" if prices.is_measured else "estimated: the node has no statistics"
    yield from problems or [
        section.ok(
            f"enough for {resources.PAYMENTS_A_DAY} payments a day from each escrow account ({source}: "
            f"{prices.transfer:,} RC a transfer, {prices.custom_json:,} a custom_json)"
        )
    ]


def _needs(venue: Venue) -> dict[str, tuple[int, int]]:
    """Transfers and custom_json that an account's full RC should pay for, by account."""
    days = resources.REGENERATION_DAYS
    needs = {venue.checkpoint_account: (0, days * resources.CHECKPOINTS_A_DAY)}
    needs.setdefault(venue.operator, (0, days * resources.ACTIONS_A_DAY))
    for token in venue.tokens:
        transfers, actions = needs.get(token.escrow, (0, 0))
        payments = days * resources.PAYMENTS_A_DAY
        if token.chain == HIVE:
            needs[token.escrow] = (payments, actions)
        else:
            needs[token.escrow] = (transfers, payments)
    return needs


def tokens(scene: Scene) -> Iterator[Point]:
    """Whether the sidechain has the tokens with these precisions, and does not restrict the accounts."""
    section = Section("Tokens")
    if scene.venue is None or scene.hive is None or scene.engine is None:
        yield section.unknown("no venue file, or no Hive-Engine node", FIX_VENUE)
        return
    known = tokens_of(scene.venue.tokens)
    try:
        chain: OnChain = read_on_chain(scene.hive, scene.engine, known, [])
    except (NodeError, BlockError) as error:
        yield section.unknown(
            f"the tokens cannot be read: {error}", "try again, or use another --engine-node"
        )
        return
    problems = section.fatal([*listed(known, chain), *restricted(known, chain)], ("fatal", "warn"))
    yield from problems or [
        section.ok("precisions are the sidechain's; no escrow account is on its blacklist or isDenied")
    ]


def start_block(scene: Scene) -> Iterator[Point]:
    """Whether the venue begins in an irreversible block, with all escrow accounts there and empty."""
    section, node, venue = Section("Start block"), scene.hive, scene.venue
    if venue is None or node is None or scene.accounts is None:
        yield section.unknown("no venue file, or no Hive node", FIX_VENUE)
        return
    first = venue.first_block
    if first > node.irreversible:
        yield section.not_yet(
            f"start_block is {venue.start_block}, the last irreversible block {node.irreversible}",
            f"choose a block up to {node.irreversible}, or wait",
        )
        return
    try:
        (text,) = node.client.blocks(first, 1)
        time = Block(text).timestamp
    except (NodeError, BlockError, ValueError) as error:
        yield section.unknown(f"block {first} cannot be read: {error}", "use another --node")
        return
    problems = _missing(section, scene, scene.escrows)
    for name in scene.escrows:
        account = scene.accounts.get(name)
        if account is not None and seconds_of(account.created) > time:
            problems.append(
                section.not_yet(
                    f"start_block {venue.start_block} is before {name} was created, at {account.created} UTC",
                    f"choose a later block: before that there is nothing of {name} to read",
                )
            )
    for name in dict.fromkeys(token.escrow for token in venue.tokens if token.chain == HIVE):
        problems += _early_transfers(section, node, name, first)
    yield from problems or [
        section.ok(f"block {first} is irreversible; the escrow accounts existed, without earlier deposits")
    ]


def _early_transfers(section: Section, node: HiveNode, name: str, first: int) -> list[Point]:
    """Transfers of the escrow account before the first block: nobody is credited for them."""
    params = {"account": name, "start": _HISTORY_ROWS - 1, "limit": _HISTORY_ROWS}
    try:
        answer = node.client.call("account_history_api.get_account_history", params, dict[str, Any])
        early = [row["block"] for _, row in answer["history"] if _is_transfer(row) and row["block"] < first]
    except (NodeError, KeyError, TypeError, ValueError) as error:
        text = f"the history of {name} cannot be read: {error}"
        return [section.unknown(text, "use a --node with account_history_api")]
    if not early:
        return []
    return [
        section.not_yet(
            f"{name} has {len(early)} transfers before start_block, the first in block {early[0]}: nobody is "
            "credited for them",
            f"choose a start_block up to {early[0]}, or send them back and use a new account",
        )
    ]


def _is_transfer(row: dict[str, Any]) -> bool:
    return str(row["op"]["type"]).removesuffix("_operation") in ("transfer", "fill_recurrent_transfer")
