"""Event generator: random events, mostly valid, that refer to what is open in a naive model.

Choices come from `random.Random`, or from hypothesis's own, which can shrink them. Prices and quantities come from
small ranges, so that orders meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from settlement.core.events import Action, Event, JsonNumber, Movement
from settlement.core.venue import PRICE_POLICIES, SELF_TRADE_POLICIES
from tests.property.model.naive_model import NaiveModel
from tests.property.model.naive_state import NaiveOrder, NaivePair
from tests.property.model.random_venues import (
    CHECKPOINTS,
    GRANTEES,
    LITERALS,
    ODD_SENDERS,
    OPERATOR,
    TOKENS,
    TRADERS,
    WEIRD_TEXT,
    WEIRD_VALUES,
    chain_of,
)


class EventGenerator:
    """Draws events that fit the current state of a model."""

    def __init__(self, model: NaiveModel) -> None:
        self.model = model
        self.count = 0

    def next_id(self) -> str:
        self.count += 1
        return f"{self.count:040x}"

    # ------------------------------------------------------------ money

    def funding(self) -> list[Event]:
        """First deposits of every token for every trader: enough for some orders, not for all."""
        return [
            Movement(
                self.next_id(), chain_of(token.symbol), trader, token.escrow, token.symbol, "20000", None
            )
            for trader in TRADERS
            for token in TOKENS
        ]

    def deposit(self, random: Random) -> Event:
        """Mostly a valid deposit of a listed token; sometimes an odd sender, token, chain or quantity."""
        model = self.model
        token = random.choice(list(model.tokens.values()))
        symbol, chain, escrow = token.symbol, chain_of(token.symbol), token.escrow
        quantity = random.choice(
            ("25", "500", "4000", "9000000", "9000000", "0.001", " +2.5e3", "7E-3\t", "0x1F.8", "0b110")
        )
        odd = random.randrange(12)
        sender = random.choice(ODD_SENDERS if odd == 0 else TRADERS)
        if odd == 1:
            symbol = random.choice(("JUNK", "J/☃", "HIVE"))
        elif odd == 2:
            quantity = random.choice(LITERALS)
        elif odd == 3:
            quantity = random.choice(("80000000000", "9000000000000000"))  # two of them pass 63 bits
        elif odd == 4:
            chain = "hive" if chain == "hive-engine" else "hive-engine"
        elif odd == 5:
            escrow = random.choice(sorted(model.escrows))
        return Movement(self.next_id(), chain, sender, escrow, symbol, quantity, random.choice((None, "hi")))

    def internal(self, random: Random) -> Event:
        """From one escrow account to another, or to itself."""
        escrows = sorted(self.model.escrows)
        token = random.choice(TOKENS)
        symbol = random.choice((token.symbol, token.symbol, "JUNK☃"))
        quantity = random.choice(("1", "2.5", *LITERALS))
        sender, recipient = random.choice(escrows), random.choice(escrows)
        outflow_only = random.randrange(6) == 0
        return Movement(
            self.next_id(), chain_of(symbol), sender, recipient, symbol, quantity, None, outflow_only
        )

    def payout(self, random: Random) -> Event:
        """A payment of a pending withdrawal or refund, sometimes wrong in one field; or an unmatched outflow."""
        model = self.model
        payments: list[Movement] = []
        for w in model.withdrawals:
            token = model.tokens[w.symbol]
            amount = f"{w.amount}e-{token.precision}"
            memo = w.memo or f"peakedex:{w.id}"
            payments.append(Movement("", chain_of(w.symbol), token.escrow, w.to, w.symbol, amount, memo))
        payments += [
            Movement("", chain_of(r.symbol), r.escrow, r.account, r.symbol, r.literal, f"peakedex:{r.id}")
            for r in model.refunds
        ]
        if not payments or random.randrange(6) == 0:
            symbol = random.choice(("PEK", "HBD", "JUNK"))
            quantity = random.choice(("1", "0.00000000001", "3e2", *LITERALS[:12]))
            escrow = random.choice(sorted(model.escrows))
            any_memo = random.choice((None, "", "x"))
            to = random.choice(TRADERS)
            return Movement(self.next_id(), chain_of(symbol), escrow, to, symbol, quantity, any_memo)
        m = random.choice(payments)._replace(id=self.next_id())
        wrong = random.randrange(11)
        if wrong == 10:
            return m._replace(outflow_only=True)
        if wrong == 0:
            return m._replace(memo=random.choice((None, "peakedex:", f"{m.memo} ")))
        if wrong == 1:
            return m._replace(recipient=random.choice(TRADERS))
        if wrong == 2:
            return m._replace(sender=random.choice(sorted(model.escrows)))
        if wrong == 3:
            return m._replace(quantity=random.choice(("1", "0.001")))
        if wrong == 4:
            return m._replace(quantity=f" +0{m.quantity}\n")  # the same value, another spelling
        return m

    # ------------------------------------------------------------ traders

    def act(self, random: Random, signer: str, name: Any, payload: dict[str, Any]) -> Action:
        """A signed action, sometimes without the active key or for another account, sometimes with one value replaced
        or removed."""
        spoil = random.randrange(40)
        if spoil == 0 and payload:
            payload[random.choice(sorted(payload))] = random.choice(WEIRD_VALUES)
        elif spoil == 1 and payload:
            del payload[random.choice(sorted(payload))]
        elif spoil == 2:
            payload["ref"] = random.choice(("my-ref_1.x", "", "-", "a b", "r" * 33, JsonNumber("7")))
        elif spoil == 3:
            payload["notAfter"] = JsonNumber(str(self.model.now + random.choice((-1, 0, 5, -(10**10)))))
        elif spoil == 4:
            payload["for"] = random.choice((*TRADERS, "nobody", "No Body", None))
        return Action(self.next_id(), signer, random.randrange(25) != 0, name, payload)

    def granted(self, random: Random, action: Action) -> Action:
        """The same action, mostly under a grant of its signer where there is one."""
        grants = [grant for grant in self.model.grants if grant.account == action.signer]
        if not grants or action.flat or random.randrange(2) == 0 or not isinstance(action.payload, dict):
            return action
        grant = random.choice(grants)
        if random.randrange(8):
            for key in ("settle", "triggerPrice", "triggerWhen", "stopPrice", "stopLimit"):
                action.payload.pop(key, None)
        if grant.to == "posting":
            return action._replace(active=False)
        return action._replace(signer=grant.to, active=True, payload={**action.payload, "for": grant.account})

    def amount(self, random: Random, pair: NaivePair, lots: int) -> Any:
        text = decimal_text(lots, pair.quantity_decimals)
        if random.randrange(40) == 0:
            return text + ("1" if "." in text else ".000000001")  # too precise
        return JsonNumber(text) if random.randrange(4) == 0 else text

    def choose_pair(self, random: Random) -> NaivePair:
        return random.choice(self.model.pairs)

    def names(self, random: Random, pair: NaivePair) -> dict[str, Any]:
        payload: dict[str, Any] = {"symbol": pair.base, "quote": pair.quote}
        odd = random.randrange(30)
        if odd == 0:
            del payload["quote"]
        elif odd == 1:
            payload["quote"] = random.choice(("NOPE", pair.base, "bad symbol"))
        return payload

    def limit(self, random: Random) -> Event:
        pair = self.choose_pair(random)
        payload = self.names(random, pair)
        payload["price"] = decimal_text(random.randint(1, 8), pair.price_decimals)
        payload["quantity"] = self.amount(random, pair, random.choice((1, 1, 2, 3, 5, 10, 40)))
        if random.randrange(40) == 0:
            payload["quantity"] = random.choice(("9223372036854775807", "99999999999"))
        if random.randrange(3) == 0:
            payload["timeInForce"] = random.choice(("GTC", "IOC", "FOK") * 4 + ("gtc",))
        if random.randrange(5) == 0:
            payload["postOnly"] = random.choice((True,) * 6 + (False, "true"))
        if random.randrange(4) == 0:
            payload["expiration"] = JsonNumber(str(random.choice((1, 3, 9, 59, 61, 2_592_000))))
        if random.randrange(4) == 0:
            payload["settle"] = random.choice(("wallet",) * 6 + ("venue", "bank"))
        self.add_stops(random, pair, payload)
        action = self.act(random, random.choice(TRADERS), random.choice(("buy", "sell")), payload)
        return self.granted(random, action)

    def add_stops(self, random: Random, pair: NaivePair, payload: dict[str, Any]) -> None:
        """Sometimes a trigger, a protective stop or a fee limit, mostly where they are allowed."""
        kind = random.randrange(8)
        clean = random.randrange(8) > 0
        if kind in (0, 1):
            payload["triggerPrice"] = self.price(random, pair)
            payload["triggerWhen"] = random.choice(("above", "below") * 8 + ("at",))
            if clean:
                payload.pop("settle", None)
                payload.setdefault("price", self.price(random, pair))
        elif kind in (2, 3):
            payload["stopPrice"] = self.price(random, pair)
            payload["stopLimit"] = self.price(random, pair)
            if clean:
                payload.pop("settle", None)
                payload.pop("timeInForce", None)
        elif not clean and random.randrange(3) == 0:
            payload[random.choice(("triggerWhen", "triggerPrice", "stopLimit"))] = "above"
        if random.randrange(8) == 0:
            payload["maxFeeBps"] = JsonNumber(random.choice(("0", "20", "1000", "1001")))

    def price(self, random: Random, pair: NaivePair) -> str:
        return decimal_text(random.randint(1, 8), pair.price_decimals)

    def market(self, random: Random) -> Event:
        pair = self.choose_pair(random)
        payload = self.names(random, pair)
        name = random.choice(("marketBuy", "marketSell"))
        if name == "marketSell":
            payload["quantity"] = self.amount(random, pair, random.choice((1, 2, 5, 30)))
        else:
            quote = self.model.tokens[pair.quote]
            one = self.model.value(
                pair, 1, 10 ** (self.model.tokens[pair.base].precision - pair.quantity_decimals)
            )
            budget = random.choice((1, 2, 3, 7, 25, 100)) * one + random.choice((0, 0, 1, one // 2))
            payload["quantity"] = decimal_text(budget, quote.precision)
        if random.randrange(2) == 0:
            payload["price"] = decimal_text(random.randint(1, 8), pair.price_decimals)
        if random.randrange(3) == 0:
            payload["settle"] = "wallet"
        self.add_stops(random, pair, payload)
        if random.randrange(6) == 0:
            payload["expiration"] = JsonNumber("9")
        return self.granted(random, self.act(random, random.choice(TRADERS), name, payload))

    def flat(self, random: Random) -> Event:
        pair = self.choose_pair(random)
        signer = random.choice(TRADERS)
        payload: dict[str, Any] = {
            "base": pair.base,
            "quote": pair.quote,
            "side": "",
            "price": decimal_text(random.randint(1, 8), pair.price_decimals),
            "amount": self.amount(random, pair, random.choice((1, 2, 3))),
            "ts": JsonNumber("1.5"),
        }
        side: Any = random.choice(("buy", "sell"))
        if random.randrange(8) == 0:
            side = random.choice(("hold", "", "a b", None, JsonNumber("1"), []))
        if random.randrange(2) == 0:
            payload["username"] = random.choice(
                (signer, signer, random.choice(TRADERS), None, JsonNumber("1"))
            )
        return self.act(random, signer, side, payload)._replace(flat=True)

    def an_order(self, random: Random) -> tuple[str, str]:
        """(signer, order id), mostly of an open order and its owner."""
        orders: list[NaiveOrder] = self.model.orders + self.model.stops
        if not orders or random.randrange(10) == 0:
            return random.choice(TRADERS), random.choice(("f" * 40, *WEIRD_TEXT))
        order = random.choice(orders)
        return random.choice((*[order.account] * 8, *TRADERS)), order.id

    def cancel(self, random: Random) -> Event:
        signer, id_ = self.an_order(random)
        return self.granted(random, self.act(random, signer, "cancel", {"id": id_, "type": "buy"}))

    def cancel_all(self, random: Random) -> Event:
        payload: dict[str, Any] = {}
        if random.randrange(2) == 0:
            payload["symbol"] = random.choice(("PEK", "PEK", "PIMP", "NOPE"))
        if random.randrange(2) == 0:
            payload["quote"] = random.choice(("SWAP.HIVE", "SWAP.BTC", "HBD", "PIMP"))
        return self.granted(random, self.act(random, random.choice(TRADERS), "cancelAll", payload))

    def timer(self, random: Random) -> Event:
        payload = {
            "seconds": JsonNumber(random.choice(("15", "15", "20", "60", "0", "14", "86400", "86401")))
        }
        return self.granted(random, self.act(random, random.choice(TRADERS), "cancelAllAfter", payload))

    def replace(self, random: Random) -> Event:
        signer, id_ = self.an_order(random)
        pair = next((o.pair for o in self.model.orders if o.id == id_), self.model.pairs[0])
        payload: dict[str, Any] = {"id": id_}
        if random.randrange(3):
            payload["price"] = decimal_text(random.randint(1, 8), pair.price_decimals)
        if random.randrange(3):
            payload["quantity"] = self.amount(random, pair, random.choice((1, 2, 3, 10, 40)))
        if random.randrange(6) == 0:
            payload |= {"stopPrice": self.price(random, pair), "stopLimit": self.price(random, pair)}
        if random.randrange(10) == 0:
            payload["maxFeeBps"] = JsonNumber("5")
        return self.granted(random, self.act(random, signer, "replace", payload))

    def withdraw(self, random: Random) -> Event:
        signer = random.choice(TRADERS)
        token = random.choice(list(self.model.tokens.values()))
        payload: dict[str, Any] = {
            "symbol": random.choice((*[token.symbol] * 9, "JUNK")),
            "quantity": random.choice(
                ("all", "1", "1", "2", "0.001", JsonNumber("3.5"), "0.0000000001", "9" * 19)
            ),
        }
        if random.randrange(3) == 0:
            payload["to"] = random.choice(("bob", "zoe", "dex.pek", "x", "Zoe"))
        if random.randrange(3) == 0:
            payload["memo"] = random.choice(
                (
                    "for rent",
                    "-",
                    "é",
                    *WEIRD_TEXT,
                    "m" * 256,
                    "m" * 257,
                    "\x7f",
                    "#x",
                    ' {"id"',
                    "[",
                    "\u00a0{",
                )
            )
        return self.act(random, signer, "withdraw", payload)

    def cancel_withdrawal(self, random: Random) -> Event:
        pending = [(w.account, w.id) for w in self.model.withdrawals] or [("alice", "nothing")]
        signer, id_ = random.choice(pending)
        if random.randrange(6) == 0:
            signer = random.choice(TRADERS)
        return self.act(random, signer, "cancelWithdrawal", {"id": id_})

    # ------------------------------------------------------------ grants

    def grant(self, random: Random) -> Event:
        model = self.model
        pairs = [pair.name for pair in model.pairs]
        chosen = random.sample(pairs, random.randint(1, len(pairs)))
        odd = random.randrange(30)
        if odd == 0:
            chosen = [*chosen, random.choice((chosen[0], "PEK/NOPE", "PEK", "A/B/C"))]
        symbols = random.sample(sorted(model.tokens), random.randint(1, len(model.tokens)))
        per_day: dict[str, Any] = {
            symbol: decimal_text(random.choice((1, 5, 1000)) * 10**3, model.tokens[symbol].precision)
            for symbol in symbols
        }
        for symbol in per_day:
            if random.randrange(3):
                per_day[symbol] = "100000"
        if odd == 1:
            per_day[random.choice(("NOPE", "no symbol", symbols[0]))] = random.choice(
                ("1", "0", "0.0000000001")
            )
        until = model.now + random.choice((5, 30, 100_000, 100_000, 7_776_000, 7_776_001, 0))
        payload = {
            "to": random.choice((*GRANTEES * 4, "active", "alice", "somebody", "x")),
            "pairs": chosen,
            "perDay": per_day,
            "bandBps": JsonNumber(random.choice(("10000", "10000", "5000", "0", "10001"))),
            "until": JsonNumber(str(until)),
        }
        return self.act(random, random.choice((*TRADERS, *TRADERS, "posting")), "grant", payload)

    def revoke(self, random: Random) -> Event:
        grants = [(grant.account, grant.to) for grant in self.model.grants] or [("alice", "posting")]
        account, to = random.choice(grants)
        return self.act(random, account, "revoke", {"to": random.choice((to, to, "nobody"))})

    def nonsense(self, random: Random) -> Event:
        """Unknown actions and payloads that are not objects."""
        name = random.choice((*WEIRD_VALUES, "buyy", "a" * 33, "Buy", "listtoken"))
        payloads: tuple[object, ...] = (None, [], "x", JsonNumber("1"), True, {})
        payload = random.choice(payloads)
        if random.randrange(3) == 0:
            name = random.choice(
                (
                    "buy",
                    "cancel",
                    "cancelAll",
                    "withdraw",
                    "checkpoint",
                    "updateVenue",
                    "grant",
                    "cancelAllAfter",
                )
            )
        return Action(self.next_id(), random.choice(TRADERS), True, name, payload)

    # ------------------------------------------------------------ the operator

    def operator(self, random: Random) -> Event:
        pair = self.choose_pair(random)
        kind = random.randrange(9)
        name, payload = "updatePair", {"symbol": pair.base, "quote": pair.quote}
        if kind == 0:
            payload["pricePolicy"] = random.choice((*PRICE_POLICIES, "last"))
            payload["selfTrade"] = random.choice((*SELF_TRADE_POLICIES, "never"))
        elif kind == 1:
            payload["makerFeeBps"] = JsonNumber(random.choice(("0", "5", "1000", "1001", "-1")))
            payload["takerFeeBps"] = JsonNumber(random.choice(("0", "77", "1e1")))
        elif kind == 2:
            payload["status"] = random.choice(("active",) * 16 + ("paused",) * 3 + ("closed", "open"))
            payload["symbol"] = random.choice((pair.base, pair.base, "NOPE"))
        elif kind == 3:
            name, payload = (
                "updateVenue",
                {"maxOpenOrders": JsonNumber(random.choice(("1", "4", "5", "0", "10001")))},
            )
            if random.randrange(2):
                payload["feeAccount"] = random.choice(("alice", "dan.dex", "Bad", "dex.pek"))
        elif kind == 4:
            name = "listToken"
            payload = {
                "symbol": random.choice(("JUNK", "HIVE", "PEK", "NEW.ONE")),
                "precision": JsonNumber(random.choice(("3", "3", "3", "0", "8", "9"))),
                "minWithdrawal": random.choice(("1", "1", "1", "0.001", "0.0001", "0", "9" * 19)),
                "escrow": random.choice(("dex.pek", "dex.hive", "dex.btc", "dex.new", "bob")),
            }
        elif kind == 5:
            name = "listPair"
            payload = {
                "symbol": random.choice(("PIMP", "JUNK", "HBD", "SWAP.BTC")),
                "quote": random.choice(("SWAP.HIVE", "HBD", "SWAP.BTC")),
                "priceDecimals": JsonNumber(random.choice(("0", "2", "5", "19"))),
                "quantityDecimals": JsonNumber(random.choice(("0", "3", "-3", "4", "-13", "9"))),
                "takerFeeBps": JsonNumber("10"),
                "selfTrade": random.choice(SELF_TRADE_POLICIES),
            }
        elif kind == 6:
            name = "checkpoint"
            payload = {
                "block": JsonNumber(random.choice(("7", "7", "0", "9223372036854775808", "-1"))),
                "stateHash": random.choice(("0" * 64, "0" * 64, "0" * 64, "f" * 63, "F" * 64)),
                "journalHash": "a" * 64,
            }
        elif kind == 7:
            name = "upgrade"
            payload = {
                "protocol": JsonNumber(random.choice(("3", "1000000", "2", "1000001"))),
                "text": random.choice(("b" * 64, "b" * 64, "B" * 64)),
                "block": JsonNumber(random.choice(("0", "500000", "200100", "4294967295", "4294967296"))),
            }
        else:
            ids = [w.id for w in self.model.withdrawals]
            name, payload = "returnWithdrawal", {"id": random.choice((*ids, "nobody"))}
        signer = random.choice((*[OPERATOR] * 9, "alice", CHECKPOINTS, CHECKPOINTS))
        return self.act(random, signer, name, payload)

    # ------------------------------------------------------------ anything

    def any_event(self, random: Random) -> Event:
        kinds: Mapping[Callable[[Random], Event], int] = {
            self.deposit: 16,
            self.internal: 1,
            self.payout: 6,
            self.limit: 55,
            self.market: 10,
            self.flat: 4,
            self.cancel: 8,
            self.cancel_all: 1,
            self.timer: 1,
            self.replace: 9,
            self.withdraw: 5,
            self.cancel_withdrawal: 2,
            self.grant: 3,
            self.revoke: 1,
            self.nonsense: 1,
            self.operator: 6,
        }
        return random.choices(list(kinds), list(kinds.values()))[0](random)


def decimal_text(units: int, decimals: int) -> str:
    """`units` × 10^-decimals as plain text."""
    if decimals <= 0:
        return str(units * 10**-decimals)
    return f"{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"
