"""Keys and assets in Hive's text formats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.net.hive_formats import (
    KeyFormatError,
    base58_decode,
    base58_encode,
    format_public_key,
    format_wif,
    parse_public_key,
    parse_wif,
)

# Published by Hive's documentation: the key of the account `initminer` on test networks.
WIF = "5JNHfZYKGaomSFvd4NUdQ9qMcEAC43kujbfjueTHpVapX1Kzq2n"
PUBLIC_KEY = "STM6LLegbAgLAy28EHrffBVuANFWcFgmqRMW13wBmTExqFE9SCkg4"


@given(st.binary(min_size=37, max_size=37))
def test_base58_round_trip(raw: bytes) -> None:
    assert base58_decode(base58_encode(raw), 37) == raw


@given(st.binary(min_size=33, max_size=33), st.binary(min_size=32, max_size=32))
def test_keys_round_trip(public: bytes, secret: bytes) -> None:
    assert parse_public_key(format_public_key(public)) == public
    assert parse_wif(format_wif(secret)) == secret


def test_published_keys() -> None:
    from coincurve import PrivateKey

    assert format_public_key(PrivateKey(parse_wif(WIF)).public_key.format()) == PUBLIC_KEY


@pytest.mark.parametrize(
    "text", ["", "STM", PUBLIC_KEY[:-1], PUBLIC_KEY + "1", PUBLIC_KEY.replace("L", "M", 1), "STM0OIl"]
)
def test_an_invalid_public_key_is_refused(text: str) -> None:
    with pytest.raises(KeyFormatError, match="is not a public key"):
        parse_public_key(text)


@pytest.mark.parametrize("text", ["", WIF[:-1], WIF + "1", WIF.replace("N", "M", 1), "0OIl"])
def test_an_invalid_private_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(KeyFormatError) as refused:
        parse_wif(text)
    assert not text or text not in str(refused.value)
