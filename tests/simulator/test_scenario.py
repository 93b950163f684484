"""Scenario files are read strictly: what is not understood is refused, with the nearest thing that is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from simulator import Scenario
from simulator.scenario import MAX_STATIONS, StationGroup, Target, load, parse
from stationgate.exits import UsageFault

from .desk import MN, PW


def group(**values: object) -> str:
    lines = [
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}" for key, value in values.items()
    ]
    return "\n".join(["[[station]]", *lines, ""])


class TestReading:
    def test_empty_file_is_the_default(self) -> None:
        assert parse("") == Scenario()
        assert Scenario().station == (StationGroup(),)

    def test_every_key(self) -> None:
        scenario = parse(
            "seed = 7\nduration_s = 60\n[target]\nhost = '::1'\nport = 9\n"
            + group(kind="door", count=2, mn="00FF", pw=PW, interval_s=60, form="2011", log=False)
            + group(mn="AA", openings_per_hour=0, people=9, start_spread_s=1.5, faults=["modbus-crc", "blanks"])
        )
        assert (scenario.seed, scenario.duration_s, scenario.target) == (7, 60, Target("::1", 9))
        first, second = scenario.station
        assert first == StationGroup(count=2, mn="00FF", pw=PW, interval_s=60, form="2011", log=False)
        assert second.faults == ("modbus-crc", "blanks")
        assert (second.openings_per_hour, second.people, second.start_spread_s) == (0, 9, 1.5)

    def test_identities_count_up_group_by_group(self) -> None:
        scenario = parse(group(count=3, mn="00FE") + group(mn="AA"))
        assert [one.settings(n).mn for one, n in scenario.identities()] == ["00FE", "00FF", "0100", "AA"]

    def test_settings_of_a_station(self) -> None:
        (one,) = parse(group(pw=PW, interval_s=60, form="2011", log=False)).station
        settings = one.settings(0)
        assert (settings.mn, settings.pw, settings.interval_s) == (MN, PW, 60)
        assert (settings.form, settings.writes_log, settings.st) == ("2011", False, "81")

    @pytest.mark.parametrize("head", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
    @pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
    def test_files_as_editors_write_them(self, tmp_path: Path, head: bytes, line_end: bytes) -> None:
        file = tmp_path / "城市.toml"
        file.write_bytes(head + b"# \xe5\x9f\x8e\xe5\xb8\x82\nseed = 5\n".replace(b"\n", line_end))
        assert load(str(file)).seed == 5

    def test_no_repr_shows_the_password(self) -> None:
        assert PW not in repr(parse(group(pw=PW)))


REFUSED = {
    "unknown key": ("sed = 1", "sed: no such key", "did you mean seed?"),
    "unknown key of the target": ("[target]\nprot = 1", "[target] prot: no such key", "did you mean port?"),
    "unknown key of a station": (group(interval=9), "[[station]] interval: no such key", "did you mean interval_s?"),
    "key near to none": (
        "x = 1",
        "x: no such key",
        "known are: seed, start, duration_s, hook, target, sip, site, station, fault, event, load",
    ),
    "text for a number": ("seed = '1'", "seed: expected a whole number, found '1'", ""),
    "fraction for a whole number": ("seed = 1.5", "seed: expected a whole number, found 1.5", ""),
    "boolean for a number": ("seed = true", "seed: expected a whole number, found True", ""),
    "negative number": ("duration_s = -1", "duration_s: expected a number of seconds, found -1", ""),
    "no number": ("duration_s = nan", "duration_s: expected a number of seconds, found nan", ""),
    "endless": ("duration_s = inf", "duration_s: expected a number of seconds, found inf", ""),
    "number for a text": ("[target]\nhost = 1", "[target] host: expected text in quotes, found 1", ""),
    "empty text": ("[target]\nhost = ''", "[target] host: expected text in quotes, found ''", ""),
    "number for a boolean": (group(log=1), "[[station]] log: expected true or false, found 1", ""),
    "text for a list": (group(faults="blanks"), "[[station]] faults: expected a list of names, found 'blanks'", ""),
    "list of numbers": (group(faults=[1]), "[[station]] faults: expected a list of names, found [1]", ""),
    "port out of range": ("[target]\nport = 70000", "[target] port: expected 1 to 65535, found 70000", ""),
    "target no table": ("target = 1", "[target]: expected a table of keys", ""),
    "station no list": ("[station]\ncount = 1", "[[station]]: expected one table or more", ""),
    "station an empty list": ("station = []", "[[station]]: expected one table or more", ""),
    "station a list of numbers": ("station = [1]", "[[station]]: expected a table of keys", ""),
    "unknown kind": (
        group(kind="window"),
        '[[station]] kind: expected "door", "water", "flue-gas", "air", "noise", "voc", "power", "dome", "bullet" or '
        "\"nvr\", found 'window'",
        "",
    ),
    "unknown form": (group(form="3021"), "[[station]] form: expected \"3020\" or \"2011\", found '3021'", ""),
    "interval too short": (group(interval_s=0.5), "[[station]] interval_s: expected 1 to 86400 s, found 0.5", ""),
    "MN no number": (group(mn="MN1"), "[[station]] mn: expected hexadecimal digits, found 'MN1'", ""),
    "MN with a sign": (group(mn="-1"), "[[station]] mn: expected hexadecimal digits, found '-1'", ""),
    "MN with a prefix": (group(mn="0x1A"), "[[station]] mn: expected hexadecimal digits, found '0x1A'", ""),
    "MN with a line end": (
        '[[station]]\nmn = "1A\\n"',
        "[[station]] mn: expected hexadecimal digits, found '1A\\n'",
        "",
    ),
    "two stations with one MN": (
        group(count=5, mn="0A") + group(mn="0E"),
        "[[station]] mn: two stations would be 0E",
        "",
    ),
    "two groups left as they are": (group() + group(), f"[[station]] mn: two stations would be {MN}", ""),
    "MN that cannot count up": (group(count=3, mn="FE"), "[[station]] mn: FE leaves no room to count up", ""),
    "unknown fault": (
        group(faults=["modbus"]),
        "no fault is called 'modbus'; near: modbus-crc, modbus-crc-swapped",
        "list them with: simulator faults",
    ),
    "too many stations": (
        group(count=1_000_000) + group(mn="1"),
        "1000001 stations, at most 1000000 in one scenario",
        "",
    ),
}  # fmt: skip


class TestRefusing:
    @pytest.mark.parametrize(("text", "message", "hint"), REFUSED.values(), ids=list(REFUSED))
    def test_what_is_not_understood(self, text: str, message: str, hint: str) -> None:
        with pytest.raises(UsageFault) as refused:
            parse(text)
        assert (re.sub(r" \(line \d+\)\Z", "", refused.value.message), refused.value.hint) == (message, hint)

    def test_no_toml(self) -> None:
        with pytest.raises(UsageFault, match=r"^city\.toml is no valid TOML at line 2, column 5: "):
            parse("seed = 1\nseed\n", "city.toml")

    @pytest.mark.parametrize("wrong", ["pw = 123456", "pw = ''", f"pw = ['{PW}']"])
    def test_password_is_not_repeated(self, wrong: str) -> None:
        with pytest.raises(
            UsageFault, match=r"^\[\[station\]\] pw: expected text in quotes, found '\*\*\*' \(line 2\)$"
        ):
            parse(f"[[station]]\n{wrong}")

    def test_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageFault, match="no such file or directory") as refused:
            load(str(tmp_path / "none.toml"))
        assert refused.value.hint == "print one with: simulator new > city.toml"

    def test_file_that_is_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UsageFault, match="cannot read the scenario"):
            load(str(tmp_path))

    def test_file_that_is_not_utf8(self, tmp_path: Path) -> None:
        file = tmp_path / "gbk.toml"
        file.write_bytes("# 城市".encode("gbk"))
        with pytest.raises(UsageFault, match=r"gbk\.toml looks like GBK, expected UTF-8 \(line 1, byte 2\)$"):
            load(str(file))


class TestStations:
    def test_number_of_the_first_group_is_set(self) -> None:
        scenario = parse(group(mn="0001") + group(mn="0100", count=5))
        assert [one.count for one in scenario.with_stations(9).station] == [9, 5]
        assert scenario.station[0].count == 1

    @pytest.mark.parametrize(("count", "why"), [(300, "two stations would be 0100"), (MAX_STATIONS, "at most 1000000")])
    def test_number_is_checked_against_the_rest(self, count: int, why: str) -> None:
        with pytest.raises(UsageFault, match=why):
            parse(group(mn="0001") + group(mn="0100", count=5)).with_stations(count)

    def test_same_digits_of_another_length_are_another_station(self) -> None:
        assert len(list(parse(group(mn="0001") + group(mn="00001")).identities())) == 2

    def test_group_without_stations_takes_no_mn(self) -> None:
        assert len(list(parse(group(mn="01", count=3) + group(mn="02", count=0)).identities())) == 3


@pytest.mark.parametrize(
    ("host", "private"),
    [
        *((host, True) for host in ("localhost", "127.0.0.1", "127.8.8.8", "::1", "10.1.2.3", "172.16.0.1")),
        *((host, True) for host in ("192.168.1.1", "fd00::1", "fe80::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1")),
        *((host, False) for host in ("8.8.8.8", "172.32.0.1", "2400:3200::1", "::ffff:8.8.8.8")),
        *((host, False) for host in ("platform.example", "localhost.example", "10.1.2.3.example", "0x7f000001", "")),
    ],
)
def test_private_targets(host: str, private: bool) -> None:
    assert replace(Target(port=1), host=host).is_private is private
