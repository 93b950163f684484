"""Whoever acts at the device: a person at the console, a relay rig, nobody."""

from .act import ANSWERS, AbsentOperator, Act, Operator, OperatorFailedError
from .choice import make_operator
from .console import ConsoleOperator
from .rig import CommandOperator

__all__ = [
    "ANSWERS",
    "AbsentOperator",
    "Act",
    "CommandOperator",
    "ConsoleOperator",
    "Operator",
    "OperatorFailedError",
    "make_operator",
]
