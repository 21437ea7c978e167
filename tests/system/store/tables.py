"""A database's rows with names for numbers, and the journal's lines made of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine as Database
from sqlalchemy import select

from settlement.core.journal.lines import iso_time
from settlement.store import schema

Row = dict[str, Any]


def dash(value: object) -> object:
    """A field of a journal line."""
    return "-" if value is None else value


class Tables:
    """All rows by table, as dictionaries in the order of the key."""

    def __init__(self, database: Database) -> None:
        with database.connect() as connection:
            self.rows: dict[str, list[Row]] = {
                table.name: [
                    dict(row)
                    for row in connection.execute(
                        select(table).order_by(*table.primary_key.columns)
                    ).mappings()
                ]
                for table in schema.metadata.sorted_tables
            }
        self.account = {row["id"]: row["name"] for row in self.rows["accounts"]}
        self.symbol = {row["id"]: row["symbol"] for row in self.rows["tokens"]}
        self.pair = {row["id"]: f"{row['base']}/{row['quote']}" for row in self.rows["pairs"]}
        self.intent = {row["n"]: row for row in self.rows["intents"]}
        self.order = {row["seq"]: row for row in self.rows["orders"]}

    def order_id(self, seq: int) -> str:
        row = self.order[seq]
        return f"{self.intent[row['intent']]['id']}{'~stop' if row['protective'] else ''}"

    def lines(self) -> dict[str, list[str]]:
        """Journal lines by kind, in the order of the rows' keys."""
        rows = self.rows
        found = {
            "block": [f"{r['number']} {r['block_id']} {iso_time(r['timestamp'])}" for r in rows["blocks"]],
            "accept": [
                f"{r['id']} {self.account[r['account_id']]} {r['by']} {r['action']} {dash(r['ref'])}"
                for r in rows["intents"]
                if r["code"] is None
            ],
            "reject": [*self._rejections()],
            "order": [self._order(r) for r in rows["orders"] if r["trigger_price"] is None],
            "stop": [self._stop(r) for r in rows["orders"] if r["trigger_price"] is not None],
            "trade": [self._trade(r) for r in rows["trades"]],
            "expire": [self.order_id(r["seq"]) for r in rows["orders"] if r["status"] == schema.EXPIRED],
            "deposit": [
                f"{r['id']} {self.account[r['account_id']]} {self.symbol[r['token_id']]} {r['amount']} "
                f"{r['escrow']}"
                for r in rows["deposits"]
            ],
            "refund": [
                f"{r['id']} {r['account']} {r['symbol']} {r['quantity']} {r['escrow']}"
                for r in rows["refunds"]
            ],
            "ignore": [
                f"{r['id']} {r['account']} {r['chain']} {r['symbol']} {r['quantity']} {r['escrow']}"
                for r in rows["ignored"]
            ],
            "withdraw": [
                f"{r['id']} {self.account[r['account_id']]} {self.symbol[r['token_id']]} {r['amount']} "
                f"{r['to']} {dash(r['memo'])}"
                for r in rows["withdrawals"]
            ],
            "returning": [
                f"{r['id']} {r['return_due']}" for r in rows["withdrawals"] if r["return_due"] is not None
            ],
            "return": [r["id"] for r in rows["withdrawals"] if r["status"] == schema.RETURNED],
            "paid": [
                f"{r['id']} {r['paid_by']}"
                for table in ("withdrawals", "refunds")
                for r in rows[table]
                if r["status"] == schema.PAID
            ],
            "outflow": [
                f"{r['id']} {r['escrow']} {r['chain']} {r['symbol']} {r['amount']} {r['to']}"
                for r in rows["outflows"]
            ],
            "internal": [
                f"{r['id']} {r['sender']} {r['recipient']} {r['chain']} {r['symbol']} {r['amount']}"
                for r in rows["internal_moves"]
            ],
            "grant": [
                f"{self.account[r['account_id']]} {r['to']} {r['until']} {r['band_bps']} {r['pairs']} "
                f"{r['per_day']}"
                for r in rows["grants"]
            ],
            "timer": [f"{self.account[r['account_id']]} {r['by']} {r['due']}" for r in rows["timers"]],
            "checkpoint": [
                f"{r['claimed_block']} {r['state_hash']} {r['journal_hash']}" for r in rows["checkpoints"]
            ],
        }
        return {kind: [f"{kind} {line}" for line in lines] for kind, lines in found.items()}

    def _rejections(self) -> list[str]:
        """Of actions, then of orders that a stop or protective stop fired."""
        actions = [
            f"{r['id']} {self.account[r['account_id']]} {r['action']} {dash(r['ref'])} {r['code']}"
            for r in self.rows["intents"]
            if r["code"] is not None
        ]
        fired = [
            f"{self.order_id(r['seq'])}{'' if is_stop else '~stop'} {self.account[r['account_id']]} "
            f"{_action(market=r['market'] or not is_stop, is_buy=r['is_buy'])} "
            f"- {r['fired_code']}"
            for r in self.rows["orders"]
            if r["fired_code"] is not None
            for is_stop in [r["trigger_price"] is not None]
        ]
        return actions + fired

    def _order(self, r: Row) -> str:
        return (
            f"{self.order_id(r['seq'])} {r['seq']} {self.account[r['account_id']]} {self.pair[r['pair_id']]} "
            f"{'buy' if r['is_buy'] else 'sell'} {'market' if r['market'] else 'limit'} {dash(r['price'])} "
            f"{r['quantity']} {dash(r['expiry'])} {dash(r['maker_fee_bps'])} {r['taker_fee_bps']} "
            f"{'wallet' if r['to_wallet'] else 'venue'} {dash(r['stop_price'])} {dash(r['stop_limit'])}"
        )

    def _stop(self, r: Row) -> str:
        return (
            f"{self.order_id(r['seq'])} {r['seq']} {self.account[r['account_id']]} {self.pair[r['pair_id']]} "
            f"{'buy' if r['is_buy'] else 'sell'} {'market' if r['market'] else 'limit'} {dash(r['price'])} "
            f"{r['quantity']} {r['expiry']} {r['taker_fee_bps']} {'above' if r['above'] else 'below'} "
            f"{r['trigger_price']} {schema.TIMES_IN_FORCE[r['time_in_force']]} {'post' if r['post_only'] else '-'}"
        )

    def _trade(self, r: Row) -> str:
        accounts = [self.account[r[name]] for name in ("taker_account_id", "maker_account_id")]
        buyer, seller = accounts if r["taker_is_buy"] else accounts[::-1]
        return (
            f"{r['n']} {self.order_id(r['taker'])} {self.order_id(r['maker'])} {buyer} {seller} "
            f"{self.pair[r['pair_id']]} {r['price']} {r['quantity']} {r['quote_amount']} {r['buyer_fee']} "
            f"{r['seller_fee']}"
        )


def _action(*, market: bool, is_buy: bool) -> str:
    side = "buy" if is_buy else "sell"
    return f"market{side.capitalize()}" if market else side
