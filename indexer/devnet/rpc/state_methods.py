"""RPC methods of chain properties and accounts."""

from __future__ import annotations

from typing import Any, Final

from indexer.devnet.hive.accounts import Account
from indexer.devnet.hive.authority import ROLES
from indexer.devnet.hive.chain import MAX_EXPIRATION_SECONDS, TRANSFER_COST
from indexer.devnet.hive.errors import CODE_ASSERT
from indexer.devnet.hive.operations import (
    MAX_ID_BYTES,
    MAX_JSON_BYTES,
    MAX_MEMO_BYTES,
    MAX_NAME_BYTES,
    Coin,
)
from indexer.devnet.hive.serialization import iso_time
from indexer.devnet.node import DevNode
from indexer.devnet.rpc.json_rpc import Method, Params, RpcError
from settlement.net.hive_formats import HBD, HIVE, KEY_PREFIX, VESTS

VERSION: Final = "1.28.7"
HARDFORK: Final = "1.28.0"
MAX_ACCOUNTS: Final = 1000
CUSTOM_JSON_COST: Final = 21_400_000

Row = dict[str, Any]

_VEST_FIELDS: Final = (
    *("vesting_shares", "delegated_vesting_shares", "received_vesting_shares", "vesting_withdraw_rate"),
    "post_voting_power",
)
_COUNT_FIELDS: Final = (
    *("withdrawn", "to_withdraw", "withdraw_routes", "pending_transfers", "curation_rewards"),
    "posting_rewards",
)
_LIST_FIELDS: Final = (
    *("transfer_history", "market_history", "post_history", "vote_history", "other_history"),
    *("witness_votes", "tags_usage", "guest_bloggers"),
)
"""Fields of condenser_api alone. Keychain's menu needs `witness_votes`."""


def _vests(micros: int) -> str:
    return f"{micros // 10**6}.{micros % 10**6:06d} VESTS"


class StateMethods:
    """Methods of database_api, rc_api, account_by_key_api, and their condenser_api versions."""

    def __init__(self, node: DevNode) -> None:
        self._chain = node.chain

    def tables(self) -> dict[str, dict[str, Method]]:
        """`{api: {method: function}}`."""
        common: dict[str, Method] = {
            "get_config": self._get_config,
            "get_version": self._get_version,
            "get_witness_schedule": self._get_witness_schedule,
        }
        condenser: dict[str, Method] = common | {
            "get_dynamic_global_properties": lambda _: self._properties(condenser=True),
            "get_hardfork_version": lambda _: HARDFORK,
            "get_next_scheduled_hardfork": lambda _: {
                "hf_version": HARDFORK,
                "live_time": "1970-01-01T00:00:00",
            },
            "get_chain_properties": lambda _: self._chain_properties(),
            "get_current_median_history_price": lambda _: {"base": "0.250 HBD", "quote": "1.000 HIVE"},
            "get_feed_history": lambda _: {
                "id": 0,
                "current_median_history": {"base": "0.250 HBD", "quote": "1.000 HIVE"},
                "price_history": [],
            },
            "get_reward_fund": lambda _: self._reward_fund(),
            "get_active_witnesses": lambda _: list(self._chain.witnesses),
            "get_account_count": lambda _: len(self._chain.accounts),
            "get_accounts": self._condenser_get_accounts,
            "lookup_account_names": self._lookup_account_names,
            "lookup_accounts": self._lookup_accounts,
            "get_key_references": lambda params: self._key_references(params.texts(0, "keys")),
        }
        return {
            "condenser_api": condenser,
            "database_api": common
            | {
                "get_dynamic_global_properties": lambda _: self._properties(condenser=False),
                "get_hardfork_properties": lambda _: {"current_hardfork_version": HARDFORK, "id": 0},
                "get_active_witnesses": lambda _: {"witnesses": list(self._chain.witnesses)},
                "get_current_price_feed": lambda _: {
                    "base": Coin(250, "HBD").nai(),
                    "quote": Coin(1000, "HIVE").nai(),
                },
                "get_reward_funds": lambda _: {"funds": [self._reward_fund()]},
                "find_accounts": self._find_accounts,
                "list_accounts": self._list_accounts,
                "get_feed_history": lambda _: {"id": 0, "price_history": []},
            },
            "account_by_key_api": {
                "get_key_references": lambda params: {
                    "accounts": self._key_references(params.texts(0, "keys"))
                }
            },
            "rc_api": {
                "find_rc_accounts": self._find_rc_accounts,
                "list_rc_accounts": self._find_rc_accounts,
                "get_rc_stats": lambda _: self._rc_stats(),
            },
        }

    # -- the chain -------------------------------------------------------------------------------

    def _get_config(self, _: Params) -> Row:
        chain = self._chain
        return {
            "IS_TEST_NET": False,
            "HIVE_CHAIN_ID": chain.chain_id.hex(),
            "HIVE_BLOCKCHAIN_VERSION": VERSION,
            "HIVE_BLOCKCHAIN_HARDFORK_VERSION": HARDFORK,
            "HIVE_ADDRESS_PREFIX": KEY_PREFIX,
            "HIVE_BLOCK_INTERVAL": chain.block_time,
            "HIVE_GENESIS_TIME": iso_time(chain.genesis),
            "HIVE_MAX_BLOCK_SIZE": chain.max_block_bytes,
            "HIVE_MAX_MEMO_SIZE": MAX_MEMO_BYTES + 1,
            "HIVE_MAX_TIME_UNTIL_EXPIRATION": MAX_EXPIRATION_SECONDS,
            "HIVE_CUSTOM_OP_ID_MAX_LENGTH": MAX_ID_BYTES,
            "HIVE_CUSTOM_OP_DATA_MAX_LENGTH": MAX_JSON_BYTES,
            "HIVE_MAX_SIG_CHECK_DEPTH": 2,
            "HIVE_MAX_ACCOUNT_NAME_LENGTH": 16,
            "HIVE_MIN_ACCOUNT_NAME_LENGTH": 3,
            "HIVE_MAX_WITNESSES": len(chain.witnesses),
            "HIVE_INIT_MINER_NAME": chain.witnesses[0],
            "HIVE_100_PERCENT": 10_000,
            "HIVE_1_PERCENT": 100,
            "HIVE_SYMBOL": {"nai": HIVE.nai, "decimals": HIVE.precision},
            "HBD_SYMBOL": {"nai": HBD.nai, "decimals": HBD.precision},
            "VESTS_SYMBOL": {"nai": VESTS.nai, "decimals": 6},
        }

    def _get_version(self, _: Params) -> Row:
        return {
            "blockchain_version": VERSION,
            "hive_revision": "0" * 40,
            "fc_revision": "0" * 40,
            "chain_id": self._chain.chain_id.hex(),
            "node_type": "devnet",
        }

    def _properties(self, *, condenser: bool) -> Row:
        chain = self._chain
        amounts = {"current_supply": 10**12, "virtual_supply": 10**12, "total_vesting_fund_hive": 10**9}
        dollars = {"current_hbd_supply": 10**9, "init_hbd_supply": 0}
        shares = {"total_vesting_shares": 2 * 10**15, "pending_rewarded_vesting_shares": 0}
        if condenser:
            money: Row = {name: Coin(mils, "HIVE").text() for name, mils in amounts.items()}
            money |= {name: Coin(mils, "HBD").text() for name, mils in dollars.items()}
            money |= {name: _vests(micros) for name, micros in shares.items()}
        else:
            money = {name: Coin(mils, "HIVE").nai() for name, mils in amounts.items()}
            money |= {name: Coin(mils, "HBD").nai() for name, mils in dollars.items()}
            money |= {
                name: {"amount": str(micros), "precision": 6, "nai": VESTS.nai}
                for name, micros in shares.items()
            }
        return {
            "id": 0,
            "head_block_number": chain.head,
            "head_block_id": chain.head_id.hex(),
            "time": iso_time(chain.head_time),
            "current_witness": chain.head_witness,
            "last_irreversible_block_num": chain.irreversible,
            "maximum_block_size": chain.max_block_bytes,
            "current_aslot": chain.head,
            "recent_slots_filled": str(2**128 - 1),
            "participation_count": 128,
            "hbd_interest_rate": 0,
            "hbd_print_rate": 10_000,
            "hbd_start_percent": 2000,
            "hbd_stop_percent": 2000,
            "required_actions_partition_percent": 0,
            "vote_power_reserve_rate": 10,
            "delegation_return_period": 432_000,
            "available_account_subsidies": 0,
            **money,
        }

    def _get_witness_schedule(self, _: Params) -> Row:
        return {
            "id": 0,
            "current_shuffled_witnesses": list(self._chain.witnesses),
            "num_scheduled_witnesses": len(self._chain.witnesses),
            "majority_version": HARDFORK,
            "median_props": self._chain_properties(),
        }

    def _chain_properties(self) -> Row:
        return {
            "account_creation_fee": "3.000 HIVE",
            "maximum_block_size": self._chain.max_block_bytes,
            "hbd_interest_rate": 0,
            "account_subsidy_budget": 797,
            "account_subsidy_decay": 347_321,
        }

    def _reward_fund(self) -> Row:
        return {
            "id": 0,
            "name": "post",
            "reward_balance": "800000.000 HIVE",
            "recent_claims": "1000000000000000000",
            "last_update": iso_time(self._chain.head_time),
            "content_constant": "2000000000000",
            "percent_curation_rewards": 5000,
            "percent_content_rewards": 10_000,
            "author_reward_curve": "linear",
            "curation_reward_curve": "linear",
        }

    # -- accounts --------------------------------------------------------------------------------

    def _account(self, name: str, *, condenser: bool) -> Row:
        accounts = self._chain.accounts
        account: Account = accounts.get(name)
        coins = {symbol: Coin(mils, symbol) for symbol, mils in account.balances.items()}
        zero = {symbol: Coin(0, symbol) for symbol in coins}
        write = Coin.text if condenser else Coin.nai
        no_vests: object = _vests(0) if condenser else {"amount": "0", "precision": 6, "nai": VESTS.nai}
        epoch, never = "1970-01-01T00:00:00", "1969-12-31T23:59:59"
        manabar = {"current_mana": 0, "last_update_time": self._chain.head_time}
        row: Row = {
            "id": account.number,
            "name": name,
            "owner": accounts.authority(name, "owner").to_json(),
            "active": accounts.authority(name, "active").to_json(),
            "posting": accounts.authority(name, "posting").to_json(),
            "memo_key": accounts.memo_key(name),
            "json_metadata": "",
            "posting_json_metadata": "",
            "proxy": "",
            **dict.fromkeys(("previous_owner_update", "last_owner_update", "last_account_update"), epoch),
            "created": iso_time(account.created),
            "mined": False,
            "recovery_account": "",
            "last_account_recovery": epoch,
            "reset_account": "null",
            **dict.fromkeys(("comment_count", "lifetime_vote_count", "post_count"), 0),
            "can_vote": True,
            "voting_manabar": manabar,
            "downvote_manabar": manabar,
            "balance": write(coins["HIVE"]),
            "savings_balance": write(zero["HIVE"]),
            "hbd_balance": write(coins["HBD"]),
            "hbd_seconds": "0",
            **dict.fromkeys(("hbd_seconds_last_update", "hbd_last_interest_payment"), epoch),
            "savings_hbd_balance": write(zero["HBD"]),
            "savings_hbd_seconds": "0",
            **dict.fromkeys(("savings_hbd_seconds_last_update", "savings_hbd_last_interest_payment"), epoch),
            "savings_withdraw_requests": 0,
            "reward_hbd_balance": write(zero["HBD"]),
            "reward_hive_balance": write(zero["HIVE"]),
            "reward_vesting_balance": no_vests,
            "reward_vesting_hive": write(zero["HIVE"]),
            **dict.fromkeys(_VEST_FIELDS, no_vests),
            "next_vesting_withdrawal": never,
            **dict.fromkeys(_COUNT_FIELDS, 0),
            "proxied_vsf_votes": [0, 0, 0, 0],
            "witnesses_voted_for": 0,
            **dict.fromkeys(("last_post", "last_root_post", "last_vote_time"), epoch),
            **dict.fromkeys(("post_bandwidth", "pending_claimed_accounts", "open_recurrent_transfers"), 0),
            "delayed_votes": [],
            "governance_vote_expiration_ts": never,
        }
        if not condenser:
            return row | {"last_post_edit": epoch, "is_smt": False}
        row |= {"voting_power": 10_000, "vesting_balance": write(zero["HIVE"]), "reputation": 0}
        return row | {name: [] for name in _LIST_FIELDS}

    def _rows(self, names: list[str], *, condenser: bool) -> list[Row]:
        known = [name for name in names[:MAX_ACCOUNTS] if name in self._chain.accounts]
        return [self._account(name, condenser=condenser) for name in known]

    def _condenser_get_accounts(self, params: Params) -> list[Row]:
        return self._rows(_names(params, "names"), condenser=True)

    def _find_accounts(self, params: Params) -> Row:
        names = _names(params, "accounts")
        if not 0 < len(names) <= MAX_ACCOUNTS:
            raise RpcError(
                CODE_ASSERT,
                "Assert Exception:0 < args.accounts.size() && args.accounts.size() <= "
                "DATABASE_API_SINGLE_QUERY_LIMIT: list of accounts to find not filled or too big",
            )
        return {"accounts": self._rows(names, condenser=False)}

    def _names_from(self, start: str, limit: int) -> list[str]:
        return [name for name in sorted(self._chain.accounts) if name >= start][: min(limit, MAX_ACCOUNTS)]

    def _list_accounts(self, params: Params) -> Row:
        start = params.get(0, "start", "")
        names = self._names_from(str(start or ""), params.number(1, "limit", MAX_ACCOUNTS))
        return {"accounts": self._rows(names, condenser=False)}

    def _lookup_accounts(self, params: Params) -> list[str]:
        return self._names_from(params.text(0, "lower_bound_name"), params.number(1, "limit", MAX_ACCOUNTS))

    def _lookup_account_names(self, params: Params) -> list[Row | None]:
        return [
            self._account(name, condenser=True) if name in self._chain.accounts else None
            for name in params.texts(0, "account_names")[:MAX_ACCOUNTS]
        ]

    def _key_references(self, keys: list[str]) -> list[list[str]]:
        accounts = self._chain.accounts
        holders: dict[str, list[str]] = {key: [] for key in keys}
        for name in accounts:
            owned = {key for role in ROLES for key, _ in accounts.authority(name, role).key_auths}
            for key in owned & holders.keys():
                holders[key].append(name)
        return [holders[key] for key in keys]

    def _rc_stats(self) -> Row:
        """The cost that hived named for a recorded transfer, and that of a custom_json of 300 bytes."""
        costs = {"transfer_operation": TRANSFER_COST, "custom_json_operation": CUSTOM_JSON_COST}
        ops = {name: {"count": 1, "avg_cost": cost} for name, cost in costs.items()}
        return {"rc_stats": {"block": self._chain.head, "transfer": TRANSFER_COST, "ops": ops}}

    def _find_rc_accounts(self, params: Params) -> Row:
        def credits(name: str) -> str:
            return "0" if name in self._chain.without_rc else str(10**12)

        rows = [
            {
                "account": name,
                "rc_manabar": {"current_mana": credits(name), "last_update_time": self._chain.head_time},
                "max_rc_creation_adjustment": {"amount": "0", "precision": 6, "nai": VESTS.nai},
                "max_rc": credits(name),
                "delegated_rc": 0,
                "received_delegated_rc": 0,
            }
            for name in params.texts(0, "accounts")
            if name in self._chain.accounts
        ]
        return {"rc_accounts": rows}


def _names(params: Params, argument: str) -> list[str]:
    """Names of accounts, each short enough for hived to read. Raises RpcError."""
    names = params.texts(0, argument)
    for name in names:
        if len(name.encode()) > MAX_NAME_BYTES:
            raise RpcError(
                CODE_ASSERT,
                f"Assert Exception:in_len <= sizeof(data): Input too large: `{name}` ({len(name.encode())}) "
                f"for fixed size string: ({MAX_NAME_BYTES})",
            )
    return names
