"""Statistics that are true of the values sent, against the same in Decimal, and whole days from their hours."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import reduce
from operator import add

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.world import (
    OUTLETS,
    Period,
    Signal,
    Site,
    SiteTemplate,
    Summary,
    converted,
    measure,
    printed,
    signals,
    summary,
    window,
)

EPOCH = 1757865600.0  # 2025-09-15 00:00:00 Beijing time
HOUR_S = 3600.0

values = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=60)


class TestSummary:
    @given(values=values)
    def test_is_that_of_the_values(self, values: list[int]) -> None:
        found = summary(iter(values))
        assert (found.min, found.max, found.sum, found.count) == (min(values), max(values), sum(values), len(values))
        mean = (Decimal(sum(values)) / len(values)).quantize(Decimal(1), ROUND_HALF_EVEN)
        assert found.mean == int(mean)
        assert found.min <= found.mean <= found.max

    @given(a=values, b=values)
    def test_adds_up(self, a: list[int], b: list[int]) -> None:
        assert summary(a) + summary(b) == summary(a + b) == summary(b) + summary(a)

    @pytest.mark.parametrize(
        ("values", "mean"), [([1, 2], 2), ([2, 3], 2), ([-1, -2], -2), ([-2, -3], -2), ([1, 1, 2], 1), ([1, 2, 2], 2)]
    )
    def test_half_goes_to_the_even_digit(self, values: list[int], mean: int) -> None:
        assert summary(values).mean == mean

    def test_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no values"):
            summary([])


class TestWindow:
    @given(
        begin=st.integers(0, 10**6),
        length=st.integers(0, 5000),
        interval=st.integers(1, 900),
        phase=st.integers(0, 900_000),
    )
    def test_is_from_begin_up_to_end_at_multiples_and_phase(
        self, begin: int, length: int, interval: int, phase: int
    ) -> None:
        low, high = EPOCH + begin / 1000, EPOCH + begin / 1000 + length
        ms = [round(at * 1000) for at in window(low, high, interval, phase / 1000)]
        first, last, step = round(low * 1000), round(high * 1000), interval * 1000
        assert ms == [at for at in range(first - first % step + phase % step - step, last, step) if at >= first]

    def test_windows_side_by_side_miss_nothing_and_repeat_nothing(self) -> None:
        whole = list(window(EPOCH, EPOCH + HOUR_S, 45, 7.25))
        parts = [at for n in range(6) for at in window(EPOCH + 600 * n, EPOCH + 600 * (n + 1), 45, 7.25)]
        assert parts == whole
        assert len(whole) == 80


def brute(site: Site, signal: Signal, ticks: list[float]) -> tuple[Decimal, Decimal, Decimal]:
    """Return minimum, maximum and mean of the printed values."""
    sent = [Decimal(printed(site.value(signal, "MN1", at), signal.decimals)) for at in ticks]
    mean = (sum(sent) / len(sent)).quantize(Decimal(1).scaleb(-signal.decimals), ROUND_HALF_EVEN)
    return min(sent), max(sent), mean


class TestPeriod:
    @settings(max_examples=20, deadline=None)
    @given(
        seed=st.integers(0, 99),
        kind=st.sampled_from(sorted(OUTLETS)),
        begin=st.integers(0, 86400),
        ticks=st.integers(1, 20),
        phase=st.integers(0, 29_999),
    )
    def test_is_true_of_what_was_sent(self, seed: int, kind: str, begin: int, ticks: int, phase: int) -> None:
        site = Site(SiteTemplate(outlet=kind), seed, "site1", EPOCH)
        low, high = EPOCH + begin, EPOCH + begin + 30 * ticks
        period = measure(site.outlet("MN1"), low, high, 30, phase / 1000)
        assert period is not None
        instants = list(window(low, high, 30, phase / 1000))
        flow = next((s for s in period.signals if s.is_flow), None)
        for signal in period.signals:
            found = period.of(signal)
            told = tuple(Decimal(printed(v, signal.decimals)) for v in (found.min, found.max, found.mean))
            assert told == brute(site, signal, instants)
            assert period.cou(signal) == (self.cou(site, signal, flow, instants) if signal.cou is not None else None)

    def cou(self, site: Site, signal: Signal, flow: Signal | None, instants: list[float]) -> Decimal:
        """Return what has flowed or left: water in L/s and mg/L, gas in m3/s and mg/m3."""
        assert flow is not None
        total = Decimal(0)
        for at in instants:
            flowed = Decimal(printed(site.value(flow, "MN1", at), flow.decimals)) * 30
            if flow.unit == "L/s":
                flowed /= 1000
            value = Decimal(printed(site.value(signal, "MN1", at), signal.decimals))
            carried = value * flowed * (1000 if flow.unit == "L/s" else 1) / 10**6
            total += flowed if signal.is_flow else carried
        return total

    @settings(max_examples=8, deadline=None)
    @given(seed=st.integers(0, 99), kind=st.sampled_from(["water", "flue-gas", "noise"]), phase=st.integers(0, 59))
    def test_day_from_its_hours_is_the_day_from_its_values(self, seed: int, kind: str, phase: int) -> None:
        outlet = Site(SiteTemplate(outlet=kind), seed, "site1", EPOCH).outlet("MN1", signals(kind)[:3])
        hours = [measure(outlet, EPOCH + n * HOUR_S, EPOCH + (n + 1) * HOUR_S, 60, phase) for n in range(24)]
        assert None not in hours
        whole = reduce(add, hours)  # type: ignore[arg-type]
        assert whole == measure(outlet, EPOCH, EPOCH + 24 * HOUR_S, 60, phase)
        assert isinstance(whole, Period)
        assert whole.summaries[0].count == 1440

    def test_means_of_flow_and_discharge_agree(self) -> None:
        outlet = Site(SiteTemplate(), 1, "site1", EPOCH).outlet("MN1")
        period = measure(outlet, EPOCH + 12 * HOUR_S, EPOCH + 13 * HOUR_S, 30)
        assert period is not None
        flow = outlet.signals[0]
        cou = period.cou(flow)
        assert cou is not None
        assert float(cou) == pytest.approx(period.of(flow).mean / 100 * 3600 / 1000, rel=1e-3)

    def test_nothing_read_is_nothing_told(self) -> None:
        outlet = Site(SiteTemplate(), 1, "site1", EPOCH).outlet("MN1")
        assert measure(outlet, EPOCH + 1, EPOCH + 30, 30) is None

    def test_without_a_flow_nothing_accumulates(self) -> None:
        outlet = Site(SiteTemplate(), 1, "site1", EPOCH).outlet("MN1", signals("water")[2:4])
        period = measure(outlet, EPOCH, EPOCH + 600, 30)
        assert period is not None
        assert [period.cou(signal) for signal in outlet.signals] == [None, None]

    def test_different_things_do_not_add_up(self) -> None:
        site = Site(SiteTemplate(), 1, "site1", EPOCH)
        a = measure(site.outlet("MN1"), EPOCH, EPOCH + 600, 30)
        b = measure(site.outlet("MN1"), EPOCH, EPOCH + 600, 60)
        assert a is not None
        assert b is not None
        with pytest.raises(ValueError, match="do not add up"):
            a + b


class TestPrinted:
    @given(value=st.integers(-(10**12), 10**12), decimals=st.integers(0, 6))
    def test_is_exact(self, value: int, decimals: int) -> None:
        assert Decimal(printed(value, decimals)) == Decimal(value).scaleb(-decimals)
        assert len(printed(value, decimals).partition(".")[2]) == decimals


class TestConverted:
    @pytest.mark.parametrize(
        ("value", "oxygen", "reference", "expected"),
        [
            (2100, 60, 6.0, 2100),  # at the reference nothing changes
            (2100, 135, 6.0, 4200),  # twice as thin
            (1001, 60, 13.5, 500),  # 500.5: the even digit
            (1003, 60, 13.5, 502),  # 501.5
            (10, 209, 6.0, 300),  # as good as air: the divisor stays 0.5
        ],
    )
    def test_follows_annex_d(self, value: int, oxygen: int, reference: float, expected: int) -> None:
        assert converted(value, oxygen, 1, reference) == expected


def test_summary_is_what_the_contract_says() -> None:
    assert Summary(1, 3, 4, 2) == summary([1, 3])
