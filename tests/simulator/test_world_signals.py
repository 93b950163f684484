"""The tables of signals and codes, against the factor tables of the standard."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from hj212.editions import Edition
from hj212.tables.factors import code_in, factor
from simulator.draws import LANES
from simulator.world import OUTLETS, Signal, Site, SiteTemplate, code_of, signal_of, signals

EVERY = [signal for outlet in OUTLETS for signal in signals(outlet)]
NOTED = {
    (row["outlet"], row["name"])
    for row in csv.DictReader(files("simulator.world").joinpath("tables/codes.csv").read_text("utf-8").splitlines())
    if row["note"]
}


def named(signal: Signal) -> str:
    return f"{signal.outlet}-{signal.name}"


@pytest.mark.parametrize("signal", EVERY, ids=named)
def test_signal_is_possible(signal: Signal) -> None:
    assert signal.floor < signal.level < signal.ceiling
    assert 0 <= signal.lane < LANES
    assert 0 <= signal.group < LANES
    assert signal.zh
    assert signal.en
    assert (signal.cou is None) == (not signal.cou_unit)
    if signal.cou is not None:
        assert next(s for s in signals(signal.outlet) if s.is_flow)


@pytest.mark.parametrize("signal", EVERY, ids=named)
def test_codes_are_those_of_the_standard(signal: Signal) -> None:
    for edition in ("2005", "2017", "2025"):
        code = code_of(signal, edition)
        if code is None:
            continue
        row = factor(code, Edition(edition)) or factor(code)
        assert row is not None, code
        noted = (signal.outlet, signal.name) in NOTED
        assert noted or Edition(edition) in row.editions
        assert noted or not row.unit or row.unit == signal.unit
        assert noted or not row.cou_unit or signal.cou is None or row.cou_unit == signal.cou_unit
    later, old = code_of(signal, "2017"), code_of(signal, "2005")
    assert later is not None
    if old is not None:
        assert code_in(Edition("2005"), later) == old


@pytest.mark.parametrize("outlet", OUTLETS)
def test_names_and_codes_are_unique(outlet: str) -> None:
    known = signals(outlet)
    assert len({signal.name for signal in known}) == len(known)
    for edition in ("2005", "2017", "2025"):
        codes = [code for signal in known if (code := code_of(signal, edition))]
        assert len(set(codes)) == len(codes) > 0


def test_signal_is_found_by_name_and_by_any_code() -> None:
    cod = next(signal for signal in signals("water") if signal.name == "cod")
    assert signal_of("water", "cod") is signal_of("water", "011") is signal_of("water", "w01018") is cod
    assert signal_of("water", "w99999") is None
    assert signal_of("water", "") is None
    assert signal_of("flue-gas", "w01018") is None


def test_outlets_are_named_where_one_is_unknown() -> None:
    with pytest.raises(KeyError, match="no outlet 'steam'"):
        signals("steam")
    with pytest.raises(ValueError, match="flue-gas"):
        SiteTemplate(outlet="steam")


def test_site_is_built_of_its_template_and_cheap_to_ask() -> None:
    site = Site(SiteTemplate(outlet="air"), 1, "site1", 0.0)
    assert site.outlet("MN1").signals == signals("air")
    assert site.plant is site.plant
    assert [line.name for line in site.plant.lines] == ["line1"]
    assert [unit.name for unit in site.plant.units] == ["unit1"]
