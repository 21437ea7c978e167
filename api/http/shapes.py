"""What answers are made of. The types are the documentation: OpenAPI's schemas are written from them.

A path's answer is a Struct that derives from `Answer`, and so begins with the block of which it speaks;
the parts of it derive from `Part`. Both are declared with `kw_only=True`.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

_ISO: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_DECIMAL: Final = r"^-?[0-9]+(\.[0-9]+)?$"


def choice(*names: str) -> Meta:
    """One of these names, for `Annotated[str, choice(…)]`."""
    return Meta(extra_json_schema={"enum": list(names)})


Amount = Annotated[str, Meta(pattern=_DECIMAL, description="Decimal text with all decimals of its token.")]
Price = Annotated[str, Meta(pattern=_DECIMAL, description="Decimal text with all decimals of its pair.")]
Time = Annotated[str, Meta(pattern=_ISO, description="ISO 8601, UTC.")]
Count = Annotated[int, Meta(ge=0)]
Block = Annotated[int, Meta(ge=0, description="Number of a Hive block.")]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, in hexadecimal.")]
Side = Annotated[str, choice("buy", "sell")]
NextCursor = Annotated[str | None, Meta(description="Asks for the next page; null where there is none.")]


class Part(Struct, forbid_unknown_fields=True):
    """A part of an answer."""


class Answer(Struct, forbid_unknown_fields=True):
    """What every answer begins with. `warning` and `lag` are there only while the indexer is behind."""

    block: Annotated[int, Meta(ge=0, description="The block of which all of this answer speaks.")]
    ts: Annotated[Time | None, Meta(description="Time of that block; null before the first.")]
    warning: Annotated[str | UnsetType, Meta(description="Only while the database is behind the chain.")] = (
        UNSET
    )
    lag: Annotated[Count | UnsetType, Meta(description="With `warning`: blocks behind the chain.")] = UNSET


class Text(Struct):
    """An answer of plain text, with the headers that go with it."""

    text: str
    headers: dict[str, str] = msgspec.field(default_factory=dict)
