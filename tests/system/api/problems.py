"""Checks common to all error responses."""

from __future__ import annotations

from typing import Any

from api.http.errors import KINDS


def problem(code: str, sentence: str) -> dict[str, Any]:
    """The body of an error without an id."""
    kind = KINDS[code]
    return {
        "type": f"/api/docs#{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": sentence,
        "ok": False,
        "error": sentence,
        "code": code,
    }
