"""Whether the rules that run are those of the pure Python or the same compiled (docs/developer.md)."""

from __future__ import annotations

from settlement.core import state_machine as engine


def rules_are_compiled() -> bool:
    """Whether the engine was loaded out of a library that mypyc made."""
    return not engine.__file__.endswith(".py")


def name_of_build() -> str:
    """For people: which of the two builds of the rules this is."""
    return "compiled rules" if rules_are_compiled() else "rules in pure Python"
