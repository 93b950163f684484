"""A Python file beside a scenario, for what TOML cannot say.

It may define::

    def groups(scenario: Scenario) -> Scenario:
        # called once, when the scenario has been read; returns the scenario that is played

    def adjust(identity: str, signal: str, at: float, value: Decimal) -> Decimal:
        # called for every measured value; at is POSIX seconds

Both must give the same for the same arguments: a station's bytes may not depend on who plays it, or when. A hook is a
program and runs with the rights of whoever runs the simulator; a scenario from somebody else is read before it is run.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NoReturn

from stationgate.exits import UsageFault, reason
from stationgate.language import _
from stationgate.textfile import read_text

from .records import Scenario

__all__ = ["MAX_DIGITS", "Hook", "applied", "read_hook"]

#: Digits that a value of a hook may have before the point: floats that are printed hold as many.
MAX_DIGITS: Final = 15

_NAMED: Final = re.compile(r"(?P<file>.+\.py)(?::(?P<function>[A-Za-z_][A-Za-z0-9_]*))?\Z")


@dataclass(frozen=True, slots=True)
class Hook:
    """A program that belongs to a scenario, as text: every process that plays the scenario runs it anew.

    Attributes:
        name: What to call the file in an error.
        source: The text of the program.
        function: The function that changes the scenario.
    """

    name: str
    source: str = field(repr=False)
    function: str = "groups"

    def changed(self, scenario: Scenario) -> Scenario:
        """Return the scenario as the hook wants it.

        Raises:
            UsageFault: If the hook fails or returns something else; the text names file and line.
        """
        change = self._found(self.function)
        if change is None:
            return scenario
        result = self._called(change, scenario)
        if not isinstance(result, Scenario):
            self._refuse(self.function, _("expected a Scenario, found {found}").format(found=type(result).__name__))
        return replace(result, hook=scenario.hook, program=scenario.program)

    @property
    def adjusts(self) -> bool:
        """Whether it has anything to say of measured values."""
        return self._found("adjust") is not None

    def adjust(self, identity: str, signal: str, at: float, value: int, decimals: int) -> int:
        """Return a measured value as the hook wants it.

        Args:
            identity: MN or code of the station.
            signal: Code of the factor.
            at: Instant, POSIX seconds.
            value: The value in units of its last printed digit.
            decimals: How many decimals are printed.

        Raises:
            UsageFault: If the hook fails, or returns no number, or one of more than :data:`MAX_DIGITS` digits.
        """
        adjust = self._found("adjust")
        if adjust is None:
            return value
        result = self._called(adjust, identity, signal, at, Decimal(value).scaleb(-decimals))
        try:
            if isinstance(result, bool) or not isinstance(result, int | float | Decimal):
                raise InvalidOperation
            number = Decimal(str(result)) if isinstance(result, float) else Decimal(result)
            if number.is_finite() and number.adjusted() >= MAX_DIGITS:
                self._refuse("adjust", _("expected a number of {most} digits at most").format(most=MAX_DIGITS))
            return int(number.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))
        except (InvalidOperation, ValueError, OverflowError):
            self._refuse("adjust", _("expected a number, found {found!r}").format(found=result))

    def _found(self, function: str) -> Callable[..., Any] | None:
        found = _namespace(self.name, self.source).get(function)
        return found if callable(found) else None

    def _called(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except UsageFault:
            raise
        except (Exception, SystemExit) as error:
            raise _failed(self.name, error) from error

    def _refuse(self, function: str, what: str) -> NoReturn:
        found = self._found(function)
        code = getattr(found, "__code__", None)
        line = _("{file}, line {line}").format(file=self.name, line=code.co_firstlineno) if code else self.name
        raise UsageFault(_("hook {place}: {function}(): {what}").format(place=line, function=function, what=what))


@lru_cache(maxsize=8)
def _namespace(name: str, source: str) -> dict[str, Any]:
    """Run the program of a hook; return what it defines."""
    names: dict[str, Any] = {"__name__": "simulator_hook", "__file__": name}
    try:
        exec(compile(source, name, "exec"), names)
    except (Exception, SystemExit) as error:
        raise _failed(name, error) from error
    return names


def _failed(name: str, error: BaseException) -> UsageFault:
    """Return the sentence for an error inside a hook: the last line of the hook that was being run."""
    if isinstance(error, SyntaxError) and error.filename == name:
        line: int | None = error.lineno
    else:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
        line = lines[-1] if lines else None
    place = _("{file}, line {line}").format(file=name, line=line) if line else name
    what = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return UsageFault(_("hook {place}: {error}").format(place=place, error=f"{type(error).__name__}: {what}"))


def read_hook(named: str, folder: Path) -> Hook:
    """Read the hook that a scenario names: ``city.py``, or ``city.py:function``.

    Raises:
        UsageFault: If there is no such file or function, or the program fails.
    """
    parts = _NAMED.match(named)
    if not parts:
        raise UsageFault(
            _("hook: expected {wanted}, found {found!r}").format(wanted="city.py, city.py:function", found=named)
        )
    path = folder / parts["file"]
    try:
        source = read_text(path)
    except OSError as error:
        raise UsageFault(_("cannot read the hook {file}: {why}").format(file=path, why=reason(error))) from error
    hook = Hook(str(path), source, parts["function"] or "groups")
    defined = _namespace(hook.name, hook.source)
    wanted = [parts["function"]] if parts["function"] else ["groups", "adjust"]
    if not any(callable(defined.get(function)) for function in wanted):
        raise UsageFault(
            _("hook {place}: expected a function {wanted}").format(place=hook.name, wanted=" / ".join(wanted))
        )
    return hook


def applied(scenario: Scenario, folder: Path) -> Scenario:
    """Return a scenario as its hook wants it, with the hook in it.

    Raises:
        UsageFault: If there is no such hook, or it fails.
    """
    hook = read_hook(scenario.hook, folder)
    return hook.changed(replace(scenario, program=hook))
