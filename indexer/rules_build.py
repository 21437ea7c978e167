"""Build of the rules: pure Python, or compiled with mypyc (docs/developer.md, "Compiled rules")."""

from __future__ import annotations

from settlement.core import state_machine


def rules_are_compiled() -> bool:
    """Whether the state machine was imported from an extension module."""
    return not state_machine.__file__.endswith(".py")


def name_of_build() -> str:
    """The build as shown by `peakedex --version` and `peakedex doctor`."""
    return "compiled rules" if rules_are_compiled() else "rules in pure Python"
