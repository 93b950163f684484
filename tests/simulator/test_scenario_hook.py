"""The Python file beside a scenario: what it may change, and the one sentence when it fails."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.engine import run_fleet_virtual
from simulator.scenario import Hook, Scenario, load
from stationgate.exits import UsageFault

Written = Callable[..., str]

GROUPS = """
from dataclasses import replace

def groups(scenario):
    first, = scenario.station
    return replace(scenario, station=tuple(replace(first, count=n, mn=f"{n}000") for n in (1, 2, 3)))
"""


@pytest.fixture
def city(tmp_path: Path) -> Written:
    """Return a function that writes a scenario and its hook, and returns the scenario's path."""

    def write(source: str, hook: str = "city.py", more: str = "") -> str:
        (tmp_path / "city.py").write_text(source, "utf-8")
        file = tmp_path / "city.toml"
        file.write_text(f"hook = '{hook}'\n{more}", "utf-8")
        return str(file)

    return write


def refusal(path: str) -> str:
    with pytest.raises(UsageFault) as refused:
        load(path)
    return refused.value.message.replace(str(Path(path).parent), "...")


def test_groups_change_the_scenario(city: Written) -> None:
    scenario = load(city(GROUPS, more="[[station]]\ninterval_s = 60\n"))
    assert [one.identity for one in scenario.members()] == ["1000", "2000", "2001", "3000", "3001", "3002"]
    assert {group.interval_s for group in scenario.station} == {60.0}


def test_function_by_name(city: Written) -> None:
    source = GROUPS.replace("def groups", "def north") + "\ndef groups(scenario):\n    raise SystemError\n"
    assert load(city(source, "city.py:north")).count == 6


def test_what_it_makes_is_checked(city: Written) -> None:
    assert refusal(city(GROUPS.replace('f"{n}000"', '"1000"'))) == "[[station]] mn: two stations would be 1000"


def test_values_are_adjusted(city: Written) -> None:
    source = (
        "from decimal import Decimal\n"
        "def adjust(identity, signal, at, value):\n"
        "    assert isinstance(value, Decimal)\n"
        "    return value * 2 if signal == 'w01018' and at >= 100 else 0.25 if signal == 'x' else value\n"
    )
    program = load(city(source)).program
    assert program is not None
    assert program.adjusts
    assert program.adjust("0A", "w01018", 99.0, 1234, 2) == 1234
    assert program.adjust("0A", "w01018", 100.0, 1234, 2) == 2468
    assert [program.adjust("0A", "x", 0.0, 7, decimals) for decimals in (0, 1, 2, 3)] == [0, 2, 25, 250]


def test_without_adjust_values_stay(city: Written) -> None:
    program = load(city(GROUPS)).program
    assert program is not None
    assert not program.adjusts
    assert program.adjust("0A", "x", 0.0, 7, 2) == 7


def test_scenario_takes_its_hook_along(city: Written) -> None:
    """To other processes and machines, where the file is not."""
    path = city("def adjust(identity, signal, at, value):\n    return value + 1\n")
    scenario = pickle.loads(pickle.dumps(load(path)))
    Path(path).with_name("city.py").unlink()
    assert isinstance(scenario, Scenario)
    assert scenario.program is not None
    assert scenario.program.adjust("0A", "x", 0.0, 7, 0) == 8


def test_text_of_the_hook_is_in_no_repr(city: Written) -> None:
    assert "def groups" not in repr(load(city(GROUPS)))
    assert "def groups" not in repr(Hook("city.py", GROUPS))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def groups(s:\n", "hook .../city.py, line 1: SyntaxError: '(' was never closed"),
        ("\nimport none_of_these\n", "hook .../city.py, line 2: ModuleNotFoundError: No module named 'none_of_these'"),
        (
            "def groups(s):\n    x = 1\n    return x / 0\n",
            "hook .../city.py, line 3: ZeroDivisionError: division by zero",
        ),
        (
            "def f(s):\n    return s.cunt\n\ndef groups(s):\n    return f(s)\n",
            "hook .../city.py, line 2: AttributeError: 'Scenario' object has no attribute 'cunt'",
        ),
        ("\ndef groups(s):\n    pass\n", "hook .../city.py, line 2: groups(): expected a Scenario, found NoneType"),
        ("def group(s):\n    pass\n", "hook .../city.py: expected a function groups / adjust"),
        ("raise SystemExit(0)\n", "hook .../city.py, line 1: SystemExit: 0"),
        ("groups = 5\n", "hook .../city.py: expected a function groups / adjust"),
        (
            "from dataclasses import replace\ndef groups(s):\n    return replace(s.station[0], kind='window')\n",
            "hook .../city.py, line 3: KeyError: 'window'",
        ),
    ],
)
def test_errors_name_the_line(city: Written, source: str, message: str) -> None:
    assert refusal(city(source)) == message


@pytest.mark.parametrize("value", ["None", "'5'", "True", "float('nan')", "float('inf')"])
def test_value_that_is_no_number(city: Written, value: str) -> None:
    program = load(city(f"def adjust(identity, signal, at, value):\n    return {value}\n")).program
    assert program is not None
    with pytest.raises(UsageFault, match=r"city\.py, line 1: adjust\(\): expected a number, found "):
        program.adjust("0A", "x", 0.0, 7, 0)


@pytest.mark.parametrize("value", ["10**15", "-10**400", "1e300", "Decimal('1E+15')"])
def test_value_that_is_too_long(city: Written, value: str) -> None:
    source = f"from decimal import Decimal\ndef adjust(identity, signal, at, value):\n    return {value}\n"
    program = load(city(source)).program
    assert program is not None
    with pytest.raises(UsageFault, match=r"city\.py, line 2: adjust\(\): expected a number of 15 digits at most$"):
        program.adjust("0A", "x", 0.0, 7, 0)


@pytest.mark.parametrize("value", ["0", "-200", "10**14", "-10**14", "value - 500 * (int(at) % 2)"])
def test_any_value_can_be_played(city: Written, value: str) -> None:
    """Whatever is made of it: a sound level of a billion decibel has an equivalent level, too."""
    groups = "".join(
        f"[[station]]\nkind = '{kind}'\nmn = '{n}0'\ninterval_s = 30\n"
        for n, kind in enumerate(["water", "flue-gas", "air", "noise", "voc", "power"], 1)
    )
    source = f"def adjust(identity, signal, at, value):\n    return {value}\n"
    result = run_fleet_virtual(load(city(source, more=f"duration_s = 4000\n{groups}")))
    assert result.counts.acknowledged == result.counts.messages > 500


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ("city.txt", "hook: expected city.py, city.py:function, found 'city.txt'"),
        ("city.py:", "hook: expected city.py, city.py:function, found 'city.py:'"),
        ("city.py:none", "hook .../city.py: expected a function none"),
        ("none.py", "cannot read the hook .../none.py: no such file or directory"),
    ],
)
def test_hook_that_is_not_there(city: Written, hook: str, message: str) -> None:
    assert refusal(city(GROUPS, hook)) == message


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hook_of_the_guide(city: Written, language: str) -> None:
    guide = Path(__file__).resolve().parents[2] / "docs" / language / "howto" / "scenario-with-faults.md"
    source = guide.read_text("utf-8").split("<!-- example: file city.py -->\n```python\n")[1].split("```")[0]
    scenario = load(city(source, more="[[station]]\ncount = 5\nmn = 'A5'\n"))
    assert [(group.name, group.interval_s) for group in scenario.station] == [("often", 450.0), ("rest", 900.0)]
    assert [one.identity for one in scenario.members()] == ["A5", "A6", "A7", "A8", "A9"]
    assert scenario.program is not None
    assert scenario.program.adjust("A7", "w00000", 0.0, 10_000, 2) == 10_300
    assert scenario.program.adjust("A8", "w00000", 0.0, 10_000, 2) == 10_000
