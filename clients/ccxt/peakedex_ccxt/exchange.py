"""CCXT exchange class over `peakedex.client`. See docs/bots.md."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt

from peakedex.client import Intent, ProtectiveStop, State, Ticket, Trigger
from peakedex_ccxt import structures as shape
from peakedex_ccxt.errors import rejection, translated
from peakedex_ccxt.readings import Readings
from peakedex_ccxt.structures import Structure


class peakedex(Readings):  # CCXT names classes by their id
    """A Peake DEX exchange.

    `walletAddress` is the Hive account; `options`: `api` (address), `nodes` (Hive nodes), `chainId` (`devnet`
    for a demo), `journal` (file of what was signed), `keyEnv` (environment variable with the key), `role`
    (`active` or `posting`), `signer` (callback in place of a key), `actingFor` (principal of a grant), `wait`
    (seconds that writing calls wait for the outcome), `apiOptions` and `clientOptions` (arguments of `Api`
    and `Trader`). A key is in no option.
    """

    # -- what is signed --------------------------------------------------------------------------------

    def create_order(
        self,
        symbol: str,
        type: str,
        side: str,
        amount: Any,
        price: Any = None,
        params: Structure | None = None,
    ) -> Structure:
        """Sign and send an order. Its status is None: only a block decides; ask `fetch_order` for it.

        `params`: `clientOrderId`, `timeInForce`, `postOnly`, `triggerPrice` (with `triggerDirection` `above`
        or `below`), `stopLossPrice`, `takeProfitPrice`, `stopLoss` (`triggerPrice` and `price`: a protective
        stop), `cost` (of a market buy), `expiration` (seconds), `notAfter` (Unix seconds), `wait` (seconds).
        A market order's `price` is its worst price; without one it is `options.slippage` from the best.
        """
        params = params or {}
        self.load_markets()
        with translated():
            intent = self._order_intent(symbol, type, side, amount, price, params)
        return self._sent(intent, params, type=type)

    def create_market_buy_order_with_cost(
        self, symbol: str, cost: Any, params: Structure | None = None
    ) -> Structure:
        """A market order that spends `cost` of quote."""
        return self.create_order(symbol, "market", "buy", None, None, {**(params or {}), "cost": cost})

    def edit_order(
        self,
        id: str,
        symbol: str,
        type: str,
        side: str,
        amount: Any = None,
        price: Any = None,
        params: Structure | None = None,
    ) -> Structure:
        """Replace an open limit order in one step. The new order has another id."""
        params = params or {}
        name = self._symbol(symbol)
        changes: Structure = {"quantity": self._amount(name, amount), "price": self._price(name, price)}
        with translated():
            intent = self.trader.build.replace(id, name, **changes, **self._common(params))
        return self._sent(intent, params, type=type, symbol=name, side=side)

    def cancel_order(self, id: str, symbol: str | None = None, params: Structure | None = None) -> Structure:
        """Sign and send the cancellation of an order."""
        with translated():
            intent = self.trader.build.cancel(id, **self._common(params))
        ticket = self._send(intent, params)
        known = {"id": id, "symbol": symbol, "status": "canceled" if ticket.state == "accepted" else None}
        return self.safe_order({"info": shape.pending(ticket)["info"], "trades": [], **known})

    def cancel_all_orders(
        self, symbol: str | None = None, params: Structure | None = None
    ) -> list[Structure]:
        """Sign and send the cancellation of all orders, or those of a pair."""
        names: Structure = {}
        if symbol is not None:
            names["base"], _, names["quote"] = self._symbol(symbol).partition("/")
        with translated():
            intent = self.trader.build.cancel_all(**names, **self._common(params))
        ticket = self._send(intent, params)
        return [self.safe_order({"info": shape.pending(ticket)["info"], "trades": [], "symbol": symbol})]

    def cancel_all_orders_after(self, timeout: int, params: Structure | None = None) -> Structure:
        """Dead man's switch: cancel all orders after `timeout` milliseconds (15 s to a day); 0 disarms."""
        with translated():
            intent = self.trader.build.cancel_all_after(-(-timeout // 1000), **self._common(params))
        return {"info": shape.pending(self._send(intent, params))["info"]}

    def withdraw(
        self, code: str, amount: Any, address: str, tag: str | None = None, params: Structure | None = None
    ) -> Structure:
        """Sign and send a withdrawal to a Hive account; `tag` is its memo."""
        self.load_markets()
        with translated():
            text = "all" if amount == "all" else self.currency_to_precision(code, amount)
            intent = self.trader.build.withdraw(code, text, to=address, memo=tag, **self._common(params))
        ticket = self._send(intent, params)
        taken = None if text == "all" else self.parse_number(text)
        return shape.withdrawing(ticket, code, taken, address, tag)

    # -- parts -----------------------------------------------------------------------------------------

    def _order_intent(
        self, symbol: str, kind: str, side: str, amount: Any, price: Any, params: Structure
    ) -> Intent:
        name, build = self.market(symbol)["symbol"], self.trader.build
        common = self._common(params) | {"lifetime": params.get("expiration")}
        trigger = self._trigger(name, side, params)
        worst, lots = self._price(name, price), self._amount(name, amount)
        if kind == "market" and side == "buy" and params.get("cost") is not None:
            cost = self.cost_to_precision(name, params["cost"])
            return build.market_buy(name, cost, worst_price=worst, trigger=trigger, **common)
        if lots is None:
            raise ccxt.ArgumentsRequired("peakedex createOrder() needs an amount")
        if kind == "market" and (side == "sell" or trigger is None):
            worst = worst or (self._slipped(name, side, params) if trigger is None else None)
            if side == "sell":
                return build.market_sell(name, lots, worst_price=worst, trigger=trigger, **common)
            return build.limit("buy", name, lots, worst or "", time_in_force="IOC", **common)
        if kind not in ("limit", "market") or worst is None:
            raise ccxt.ArgumentsRequired("peakedex createOrder() takes limit and market orders, with a price")
        force: Any = "IOC" if kind == "market" else params.get("timeInForce")
        return build.limit(
            side,  # type: ignore[arg-type]
            name,
            lots,
            worst,
            time_in_force=None if force == "PO" else force,
            post_only=True if force == "PO" or params.get("postOnly") else None,
            trigger=trigger,
            protect=self._protect(name, params),
            **common,
        )

    def _trigger(self, name: str, side: str, params: Structure) -> Trigger | None:
        gains = params.get("takeProfitPrice")
        price = next(
            (params[key] for key in ("triggerPrice", "stopPrice", "stopLossPrice") if params.get(key)), gains
        )
        if price is None:
            return None
        up = (side == "buy") != (price is gains)
        when = params.get("triggerDirection") or ("above" if up else "below")
        names = {"ascending": "above", "up": "above", "descending": "below", "down": "below"}
        return Trigger(self._price(name, price) or "", names.get(when, when))  # type: ignore[arg-type]

    def _protect(self, name: str, params: Structure) -> ProtectiveStop | None:
        stop = params.get("stopLoss")
        if not stop:
            return None
        price, limit = self._price(name, stop.get("triggerPrice")), self._price(name, stop.get("price"))
        if price is None or limit is None:
            raise ccxt.ArgumentsRequired("peakedex: stopLoss needs triggerPrice and price, the worst price")
        return ProtectiveStop(price, limit)

    def _slipped(self, name: str, side: str, params: Structure) -> str:
        """The worst price of a market order without one."""
        book = self.api_client.order_book(name, depth=1)
        levels = book.asks if side == "buy" else book.bids
        if not levels:
            raise ccxt.OrderNotFillable("peakedex: no matching orders in the order book")
        part = Decimal(str(params.get("slippage", self.options["slippage"])))
        return str(self._price(name, levels[0].price * (1 + part if side == "buy" else 1 - part)))

    @staticmethod
    def _common(params: Structure | None) -> Structure:
        given = params or {}
        return {"ref": given.get("clientOrderId"), "not_after": given.get("notAfter")}

    def _send(self, intent: Intent, params: Structure | None) -> Ticket:
        with translated():
            ticket = self.trader.place(intent)
            if ticket.state == State.SIGNED:  # by a process before this one
                self.trader.poll()
            wait = float((params or {}).get("wait", self.options["wait"]))
            if wait > 0:
                self.trader.wait(ticket, timeout=wait)
        if ticket.is_done and ticket.order is None and ticket.state in ("rejected", "not included"):
            raise rejection(ticket)
        return ticket

    def _sent(self, intent: Intent, params: Structure, **known: Any) -> Structure:
        ticket = self._send(intent, params)
        if ticket.order is not None:
            return self.safe_order(shape.order(ticket.order) | {"type": known["type"]})
        if ticket.is_done:  # of a process before this one
            return self.fetch_order(ticket.id)
        now = self.milliseconds()
        return self.safe_order(shape.pending(ticket, now) | {"datetime": self.iso8601(now)} | known)

    def _amount(self, name: str, amount: Any) -> str | None:
        return None if amount is None else str(self.amount_to_precision(name, self._exact(amount)))

    def _price(self, name: str, price: Any) -> str | None:
        return None if price is None else str(self.price_to_precision(name, self._exact(price)))

    @staticmethod
    def _exact(value: Any) -> Any:
        return f"{value:f}" if isinstance(value, Decimal) else value
