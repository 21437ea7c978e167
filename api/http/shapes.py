"""Building blocks of response bodies. OpenAPI's schemas are generated from these types.

A body derives from `Answer` and so begins with its block; objects in it derive from `Part`. Both are declared
with `kw_only=True`.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

_ISO: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?$"


def choice(*names: str) -> Meta:
    """An enumeration of strings, for `Annotated[str, choice(…)]`."""
    return Meta(extra_json_schema={"enum": list(names)})


Amount = Annotated[str, Meta(pattern=_DECIMAL, description="Decimal text with all decimals of its token.")]
Price = Annotated[str, Meta(pattern=_DECIMAL, description="Decimal text with all decimals of its pair.")]
Time = Annotated[str, Meta(pattern=_ISO, description="ISO 8601, UTC.")]
Count = Annotated[int, Meta(ge=0)]
Block = Annotated[int, Meta(ge=0, description="Number of a Hive block.")]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, in hexadecimal.")]
Side = Annotated[str, choice("buy", "sell")]
NextCursor = Annotated[str | None, Meta(description="Cursor of the next page; null on the last page.")]


class Part(Struct, forbid_unknown_fields=True):
    """An object inside a response body."""


class Answer(Struct, forbid_unknown_fields=True):
    """Fields of every response body. `warning` and `lag` appear only while the database is behind."""

    block: Annotated[int, Meta(ge=0, description="The block as of which the whole answer is.")]
    ts: Annotated[Time | None, Meta(description="Time of that block; null before the first.")]
    warning: Annotated[str | UnsetType, Meta(description="Only while the database is behind the chain.")] = (
        UNSET
    )
    lag: Annotated[Count | UnsetType, Meta(description="With `warning`: blocks behind the chain.")] = UNSET


class Text(Struct):
    """A plain text body with its own headers."""

    text: str
    headers: dict[str, str] = msgspec.field(default_factory=dict)
