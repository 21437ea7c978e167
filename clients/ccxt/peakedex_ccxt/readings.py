"""Readings of the CCXT class: its description, the market, and accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import ccxt
from ccxt.base.decimal_to_precision import TICK_SIZE

from peakedex.client import Api, HiveNodes, KeySigner, Ticket, Trader
from peakedex.client.models import OrderBook
from peakedex.client.nodes import PUBLIC_NODES
from peakedex.client.signing import MAINNET, CallbackSigner
from peakedex_ccxt import structures as shape
from peakedex_ccxt.errors import translated
from peakedex_ccxt.structures import Structure

SLIPPAGE: Final = "0.05"  # of a market order without a worst price, from the best price
_METHODS: Final = (
    *("fetchMarkets", "fetchCurrencies", "fetchTicker", "fetchTickers", "fetchOrderBook", "fetchTrades"),
    *(
        "fetchOHLCV",
        "fetchBalance",
        "fetchTradingFees",
        "createOrder",
        "createMarketOrder",
        "createLimitOrder",
    ),
    *("createStopOrder", "createTriggerOrder", "createPostOnlyOrder", "createMarketBuyOrderWithCost"),
    *("cancelOrder", "cancelAllOrders", "cancelAllOrdersAfter", "editOrder", "fetchOrder", "fetchOrders"),
    *("fetchOpenOrders", "fetchClosedOrders", "fetchMyTrades", "fetchOrderTrades", "fetchDepositAddress"),
    *("fetchDeposits", "fetchWithdrawals", "withdraw"),
)
_INTERVALS: Final = ("1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w")


class Readings(ccxt.Exchange):
    """What needs no signature."""

    def describe(self) -> Any:
        """CCXT's description of the exchange."""
        return self.deep_extend(
            super().describe(),
            {
                "id": "peakedex",
                "name": "Peake DEX",
                "countries": [],
                "version": "2",
                "dex": True,
                "rateLimit": 60,
                "certified": False,
                "pro": False,
                "precisionMode": TICK_SIZE,
                "has": {"spot": True, "CORS": None, **dict.fromkeys(_METHODS, True)},
                "timeframes": {interval: interval for interval in _INTERVALS},
                "requiredCredentials": {"apiKey": False, "secret": False, "walletAddress": True},
                "options": {
                    "api": "http://127.0.0.1:8080",
                    "nodes": list(PUBLIC_NODES),
                    "chainId": MAINNET,
                    "journal": "peakedex.journal",
                    "keyEnv": "PEAKEDEX_KEY",
                    "role": "active",
                    "signer": None,
                    "actingFor": None,
                    "wait": 0,
                    "slippage": SLIPPAGE,
                    "clientOptions": {},
                    "apiOptions": {},
                },
            },
        )

    def after_construct(self) -> None:
        """Clients of the API and the nodes; the trader is made by the first call that signs."""
        super().after_construct()
        self._api: Api | None = None
        self._trader: Trader | None = None

    @property
    def api_client(self) -> Api:
        """The client of the read API."""
        if self._api is None:
            self._api = Api(self.options["api"], **self.options["apiOptions"])
        return self._api

    @property
    def trader(self) -> Trader:
        """The client that signs, with its journal."""
        if self._trader is None:
            options, account = self.options, self._account()
            sign: Callable[..., str] | None = options["signer"]
            role = options["role"]
            signer = (
                KeySigner(account, options["keyEnv"], role=role)
                if sign is None
                else CallbackSigner(account, sign, role)
            )
            nodes = HiveNodes(options["nodes"], chain_id=options["chainId"])
            self._trader = Trader(
                self.api_client,
                nodes,
                signer,
                options["journal"],
                acting_for=options["actingFor"],
                **options["clientOptions"],
            )
        return self._trader

    def close(self) -> None:
        """Free the journal for another process."""
        if getattr(self, "_trader", None) is not None:
            self._trader.close()  # type: ignore[union-attr]
        self._trader = self._api = None

    # -- market ----------------------------------------------------------------------------------------

    def fetch_markets(self, params: Structure | None = None) -> list[Structure]:
        """All pairs."""
        with translated():
            venue = self.api_client.venue()
        tokens = {token.symbol: token for token in venue.tokens}
        return [self._numbers(shape.market(pair, tokens[pair.quote])) for pair in venue.pairs]

    def fetch_currencies(self, params: Structure | None = None) -> Structure:
        """All tokens by code."""
        with translated():
            tokens = self.api_client.venue().tokens
        made = (self.safe_currency_structure(self._numbers(shape.currency(token))) for token in tokens)
        return {each["code"]: each for each in made}

    def fetch_tickers(self, symbols: list[str] | None = None, params: Structure | None = None) -> Structure:
        """Prices and 24-hour statistics of all pairs, or of these."""
        self.load_markets()
        with translated():
            pairs = self.api_client.pairs()
            now = shape.milliseconds(self.api_client.health().ts)
        rows = [shape.ticker(pair, now) | {"datetime": self.iso8601(now)} for pair in pairs]
        tickers = [self.safe_ticker(row, self.market(row["symbol"])) for row in rows]
        return self.filter_by_array_tickers(tickers, "symbol", symbols)

    def fetch_ticker(self, symbol: str, params: Structure | None = None) -> Structure:
        """Prices and 24-hour statistics of a pair."""
        self.load_markets()
        name = self.market(symbol)["symbol"]
        return self.fetch_tickers([name])[name]

    def fetch_order_book(
        self, symbol: str, limit: int | None = None, params: Structure | None = None
    ) -> Structure:
        """The order book: at most 500 levels a side, 50 by default."""
        name = self._symbol(symbol)
        with translated():
            book = self.api_client.order_book(name, depth=limit or 50)
        return self._book(name, book)

    def fetch_trades(
        self, symbol: str, since: int | None = None, limit: int | None = None, params: Structure | None = None
    ) -> list[Structure]:
        """The newest trades of a pair, oldest first."""
        name = self._symbol(symbol)
        with translated():
            rows = self.api_client.trades(name, limit=limit or 100)
        return self._trades([shape.trade(row, name) for row in rows], since, limit)

    def fetch_ohlcv(
        self,
        symbol: str,
        timeframe: str = "1m",
        since: int | None = None,
        limit: int | None = None,
        params: Structure | None = None,
    ) -> list[list[Any]]:
        """Candles, oldest first, none without trades. With `since`, the first ones from there."""
        name = self._symbol(symbol)
        start = None if since is None else -(-since // 1000)
        with translated():
            wanted = None if since is not None else limit or 100
            rows = self.api_client.candles(name, timeframe, start=start, limit=wanted)
        number = self.parse_number
        made = [
            [
                shape.milliseconds(row.ts),
                *(
                    number(shape.text(value))
                    for value in (row.open, row.high, row.low, row.close, row.volume)
                ),
            ]
            for row in rows
        ]
        return made if since is None or limit is None else made[:limit]

    # -- account ---------------------------------------------------------------------------------------

    def fetch_balance(self, params: Structure | None = None) -> Structure:
        """Balances; `used` is in orders or being withdrawn."""
        with translated():
            balances = self.api_client.balances(self._owner())
        made: Structure = {"info": [shape.info(row) for row in balances.values()]}
        made |= {"timestamp": None, "datetime": None}
        for code, row in balances.items():
            made[code] = {"free": shape.text(row.available), "total": shape.text(row.total)}
        return self.safe_balance(made)

    def fetch_trading_fees(self, params: Structure | None = None) -> Structure:
        """Fees of all pairs."""
        self.load_markets(True)
        keys = ("symbol", "maker", "taker", "percentage", "tierBased", "info")
        return {name: {key: market[key] for key in keys} for name, market in self.markets.items()}

    def fetch_order(self, id: str, symbol: str | None = None, params: Structure | None = None) -> Structure:
        """An order: open, closed, rejected, or (status None) on its way."""
        with translated():
            found = self.api_client.order(id)
            if found is not None:
                return self.safe_order(shape.order(found.order))
            ticket = next((one for one in self._tickets() if one.id == id), None)
            if ticket is not None and not ticket.is_done:
                self.trader.poll()
            results = [one for one in self.api_client.intents(id.partition("-")[0]) if one.id == id]
        if ticket is not None:
            return self.safe_order(shape.order(ticket.order) if ticket.order else shape.pending(ticket))
        if results and results[0].status == "rejected":
            return self.safe_order(shape.rejected(results[0]))
        raise ccxt.OrderNotFound(f"peakedex has no order {id}")

    def fetch_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Structure | None = None,
    ) -> list[Structure]:
        """Orders of the account that the venue accepted, oldest first."""
        return self._orders(symbol, since, limit, None)

    def fetch_open_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Structure | None = None,
    ) -> list[Structure]:
        """Open orders and waiting stops, oldest first."""
        rows = [order for status in ("open", "waiting") for order in self._orders(symbol, None, None, status)]
        rows.sort(key=lambda order: order["timestamp"])
        return self.filter_by_since_limit(rows, since, limit)

    def fetch_closed_orders(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Structure | None = None,
    ) -> list[Structure]:
        """Filled orders, oldest first."""
        return self._orders(symbol, since, limit, "filled")

    def fetch_my_trades(
        self,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Structure | None = None,
    ) -> list[Structure]:
        """Trades of the account, oldest first."""
        name = None if symbol is None else self._symbol(symbol)
        with translated():
            rows = self.api_client.account_trades(self._owner(), pair=name, limit=limit or 100)
        return self._trades([shape.trade(row, shape.symbol_of(row)) for row in rows], since, limit)

    def fetch_order_trades(
        self,
        id: str,
        symbol: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Structure | None = None,
    ) -> list[Structure]:
        """The newest 1,000 trades of the account that are of this order, oldest first."""
        mine = self.fetch_my_trades(symbol, None, 1000)
        return self.filter_by_since_limit([one for one in mine if one["order"] == id], since, limit)

    def fetch_deposit_address(self, code: str, params: Structure | None = None) -> Structure:
        """The account that holds a token's deposits: transfer to it from your own account."""
        with translated():
            token = self.api_client.venue().token(code)
        if token is None:
            raise ccxt.BadSymbol(f"peakedex does not list {code}")
        return {
            "currency": code,
            "network": token.chain,
            "address": token.escrow,
            "tag": None,
            "info": shape.info(token),
        }

    def fetch_deposits(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Structure | None = None,
    ) -> list[Structure]:
        """Deposits, oldest first."""
        with translated():
            rows = self.api_client.deposits(self._owner(), limit=limit or 100)
        return self._transactions([shape.deposit(row) for row in rows], code, since, limit)

    def fetch_withdrawals(
        self,
        code: str | None = None,
        since: int | None = None,
        limit: int | None = None,
        params: Structure | None = None,
    ) -> list[Structure]:
        """Withdrawals, oldest first."""
        with translated():
            rows = self.api_client.withdrawals(self._owner(), limit=limit or 100)
        return self._transactions([shape.withdrawal(row) for row in rows], code, since, limit)

    # -- parts -----------------------------------------------------------------------------------------

    def _tickets(self) -> list[Ticket]:
        """Intents of this process and of those before it."""
        if self._trader is None and not Path(self.options["journal"]).exists():
            return []
        return list(self.trader.tickets)

    def _orders(
        self, symbol: str | None, since: int | None, limit: int | None, status: str | None
    ) -> list[Structure]:
        name = None if symbol is None else self._symbol(symbol)
        wanted = None if status in ("open", "waiting") else 1000 if since is not None else limit or 100
        with translated():
            rows = self.api_client.orders(user=self._owner(), pair=name, status=status, limit=wanted)
        made = [self.safe_order(shape.order(row)) for row in reversed(rows)]
        return self.filter_by_since_limit(made, since, limit)

    def _trades(self, rows: list[Structure], since: int | None, limit: int | None) -> list[Structure]:
        made = [self.safe_trade(row) for row in reversed(rows)]
        return self.filter_by_since_limit(made, since, limit, tail=since is None)

    def _transactions(
        self, rows: Iterable[Structure], code: str | None, since: int | None, limit: int | None
    ) -> list[Structure]:
        made = [self._numbers(row) for row in rows if code in (None, row["currency"])]
        return self.filter_by_since_limit(made[::-1], since, limit)

    def _book(self, name: str, book: OrderBook) -> Structure:
        now = shape.milliseconds(book.ts)
        sides = {
            side: [[shape.text(level.price), shape.text(level.amount)] for level in levels]
            for side, levels in (("bids", book.bids), ("asks", book.asks))
        }
        return {**self.parse_order_book(sides, name, now), "nonce": book.block}

    def _numbers(self, structure: Structure) -> Structure:
        """CCXT's number type for what `structures` has as text."""
        keys = ("amount", "price", "cost", "min", "max", "taker", "maker", "precision")
        return {
            key: self._numbers(value)
            if isinstance(value, dict) and key != "info"
            else self.parse_number(value)
            if key in keys and isinstance(value, str)
            else value
            for key, value in structure.items()
        }

    def _symbol(self, symbol: str) -> str:
        self.load_markets()
        return str(self.market(symbol)["symbol"])

    def _account(self) -> str:
        if not self.walletAddress:
            raise ccxt.AuthenticationError("peakedex needs walletAddress, the name of a Hive account")
        return str(self.walletAddress)

    def _owner(self) -> str:
        return str(self.options["actingFor"] or self._account())
