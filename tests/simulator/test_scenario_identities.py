"""Who the stations are: counted up, or from a file, never two with one identity; handed on to a platform."""

from __future__ import annotations

import csv
import json
import tracemalloc
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212.encryption import Key
from simulator.cli import build as cli
from simulator.clock import EPOCH
from simulator.personalities.building import builder
from simulator.scenario import Member, Scenario, StationGroup, load, parse
from simulator.scenario.listing import rows
from stationgate.exits import UsageFault, run

PW = "S3cr3t"


@pytest.fixture
def city(tmp_path: Path) -> Callable[..., str]:
    """Return a function that writes a scenario beside a file of identities, and returns its path."""

    def write(listing: str | bytes, text: str = "", *, kind: str = "door") -> str:
        data = listing if isinstance(listing, bytes) else listing.encode()
        (tmp_path / "stations.csv").write_bytes(data)
        file = tmp_path / "city.toml"
        file.write_text(f"[[station]]\nkind = '{kind}'\nidentities = 'stations.csv'\n{text}", "utf-8")
        return str(file)

    return write


def refusal(path: str) -> tuple[str, str]:
    with pytest.raises(UsageFault) as refused:
        load(path)
    return refused.value.message, refused.value.hint


@pytest.mark.parametrize("pw", ["12;3456", "a&&b", "密码", "a b", "x" * 65])
class TestAPasswordThatWouldBreakTheFrame:
    WANTED = "expected 1 to 64 printable ASCII characters other than ; and &, found '***'"

    def test_in_the_scenario(self, pw: str) -> None:
        with pytest.raises(UsageFault) as refused:
            parse(f"[[station]]\npw = '{pw}'")
        assert refused.value.message == f"[[station]] pw: {self.WANTED} (line 2)"

    def test_in_the_file_of_identities(self, city: Callable[..., str], pw: str) -> None:
        message, _hint = refusal(city(f"mn,pw\n0A,{pw}\n"))
        assert message.endswith(f"stations.csv, line 2: pw: {self.WANTED}")


class TestKeysInTheFile:
    KEY = "00112233445566778899aabbccddeeff"

    @pytest.mark.parametrize("kind", ["door", "water", "power"])
    def test_each_station_has_its_own(self, city: Callable[..., str], kind: str) -> None:
        scenario = load(city(f"mn,key\n0A,\n0B,{self.KEY}\n", f"edition = '2025'\nkey = '{'01' * 16}'", kind=kind))
        build = builder(scenario, EPOCH, None)
        found = [build(member, 0.0, None).settings.key for member in scenario.members()]
        assert found == [Key.parse("01" * 16), Key.parse(self.KEY)]
        assert all(self.KEY not in repr(one) for one in found)

    def test_not_where_nothing_is_encrypted(self, city: Callable[..., str]) -> None:
        message, _hint = refusal(city(f"mn,key\n0A,{self.KEY}\n", "edition = '2017'"))
        assert message == "[[station]] identities: the column key is not for edition 2017 (line 3)"


class TestCountingUp:
    def test_mn_counts_hexadecimal(self) -> None:
        assert [one.identity for one in parse("[[station]]\nmn = '00fe'\ncount = 3").members()] == [
            "00FE",
            "00FF",
            "0100",
        ]

    def test_code_counts_in_its_serial(self) -> None:
        scenario = parse("[[station]]\nkind = 'dome'\nid = '64010000001320000099'\ncount = 2")
        assert [one.identity for one in scenario.members()] == ["64010000001320000099", "64010000001320000100"]

    @pytest.mark.parametrize("id", ["6401000000132000000", "640100000013200000000", "6401000000132000000A", "٠" * 20])
    def test_code_of_twenty_digits_only(self, id: str) -> None:
        with pytest.raises(UsageFault, match="id: expected 20 digits"):
            parse(f"[[station]]\nkind = 'dome'\nid = '{id}'")

    def test_code_keeps_its_type(self) -> None:
        text = "[[station]]\nkind = 'dome'\nid = '64010000001320999999'\ncount = "
        assert parse(text + "1").count == 1
        with pytest.raises(UsageFault, match=r"id: 64010000001320999999 leaves no room to count up$"):
            parse(text + "2")

    @pytest.mark.parametrize(
        ("first", "second", "twice"),
        [
            ("id = '64010000001320000001'\ncount = 5", "id = '64010000001320000005'", "64010000001320000005"),
            ("id = '64010000001320000001'\ncount = 5", "id = '64010000001320000006'", ""),
            (
                "id = '64010000001320000001'\ncount = 5",
                "id = '64010000001320000000'\ncount = 2",
                "64010000001320000001",
            ),
        ],
    )
    def test_two_cameras_with_one_code(self, first: str, second: str, twice: str) -> None:
        text = f"[[station]]\nkind = 'dome'\n{first}\n[[station]]\nkind = 'bullet'\n{second}"
        if twice:
            with pytest.raises(UsageFault, match=f"id: two stations would be {twice}$"):
                parse(text)
        else:
            assert parse(text).count == 6

    def test_mn_and_code_of_the_same_digits_are_two_things(self) -> None:
        digits = "64010000001320000001"
        assert parse(f"[[station]]\nmn = '{digits}'\n[[station]]\nkind = 'dome'\nid = '{digits}'").count == 2

    @given(
        counts=st.lists(st.integers(0, 9), min_size=1, max_size=4),
        shards=st.integers(1, 5),
        per_site=st.integers(1, 3),
    )
    def test_shards_share_the_members_out(self, counts: list[int], shards: int, per_site: int) -> None:
        groups = tuple(StationGroup(count=count, mn=f"{n}000") for n, count in enumerate(counts))
        scenario = Scenario(station=groups)
        whole = list(scenario.members())
        assert [one.number for one in whole] == [*range(sum(counts))]
        assert [(one.group, one.index) for one in whole] == list(scenario.identities())
        for index in range(shards):
            assert list(scenario.members(index, shards)) == whole[index::shards]

    def test_a_million_stations_are_told_one_by_one(self) -> None:
        text = "[[station]]\ncount = 500000\nmn = '64010000{}00000001'\n"
        scenario = parse(text.format("AA") + text.format("BB"))
        tracemalloc.start()
        try:
            (last,) = deque(scenario.members(7, 50), maxlen=1)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert last.identity == f"64010000BB{500_000 - 50 + 8:08X}"
        assert peak < 100_000

    @given(
        st.lists(
            st.tuples(st.integers(0, 40), st.integers(0, 6), st.booleans()), min_size=1, max_size=5
        )
    )  # fmt: skip
    def test_twice_is_found_exactly(self, ranges: list[tuple[int, int, bool]]) -> None:
        """Against the plain way: write all of them down."""
        groups = [
            (f"{first:020d}" if camera else f"{first:02X}", count, "dome" if camera else "door")
            for first, count, camera in ranges
        ]
        text = "".join(
            f"[[station]]\nkind = '{kind}'\n{'id' if kind == 'dome' else 'mn'} = '{first}'\ncount = {count}\n"
            for first, count, kind in groups
        )
        every = [(camera, number) for first, count, camera in ranges for number in range(first, first + count)]
        if len(every) == len(set(every)):
            assert parse(text).count == len(every)
        else:
            with pytest.raises(UsageFault, match="two stations would be"):
                parse(text)


class TestFiles:
    def test_columns(self, city: Callable[..., str]) -> None:
        scenario = load(
            city(
                "name,mn,pw,st,site,key\n一号门,00AB,S3cr3t,82,plant-2,\n\n,X9,,,,\n",
                "site = 'plant'\npw = '654321'\n[[site]]\nname = 'plant'\ncount = 2",
            )
        )
        first, second = scenario.members()
        assert (first.identity, first.pw, first.st, first.site_name, first.name) == (
            "00AB", "S3cr3t", "82", "plant-2", "一号门",
        )  # fmt: skip
        assert (second.identity, second.pw, second.st, second.site_name) == ("X9", "654321", "81", "plant-2")
        settings = scenario.station[0].settings(0)
        assert (settings.mn, settings.pw, settings.st) == ("00AB", "S3cr3t", "82")

    def test_cameras(self, city: Callable[..., str]) -> None:
        (one,) = load(city("id,password\n64010000001320000001,S3cr3t\n", kind="bullet")).members()
        assert (one.identity, one.password, one.st) == ("64010000001320000001", "S3cr3t", "")

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_as_spreadsheets_write_them(self, city: Callable[..., str], encoding: str, line_end: str) -> None:
        text = "mn,name\n0A,污水处理站门禁\n0B,烟气监测站房门禁\n".replace("\n", line_end)
        assert [one.name for one in load(city(text.encode(encoding))).members()] == [
            "污水处理站门禁",
            "烟气监测站房门禁",
        ]

    def test_one_file_for_several_groups(self, city: Callable[..., str]) -> None:
        listing = (
            "kind,group,mn,id\ndoor,,0A,\ndoor,north,0B,\ndoor,south,0C,\nwater,,0D,\n"
            "dome,,,64010000001320000001\n,,0E,\n"
        )
        text = "name = 'north'\n[[station]]\nkind = 'dome'\nidentities = 'stations.csv'"
        with pytest.raises(UsageFault, match="line 7: id: expected 20 digits"):
            load(city(listing, text))
        north, dome = load(city(listing.replace(",,0E,\n", ""), text)).station
        assert [row.identity for row in north.listed] == ["0A", "0B"]
        assert [row.identity for row in dome.listed] == ["64010000001320000001"]

    def test_count_takes_the_first(self, city: Callable[..., str]) -> None:
        scenario = load(city("mn\n0A\n0B\n0C\n", "count = 2"))
        assert [one.identity for one in scenario.members()] == ["0A", "0B"]
        assert scenario.with_stations(3).count == 3
        with pytest.raises(UsageFault, match=r"count: expected 3 at most, as many as stations\.csv has, found 4"):
            scenario.with_stations(4)
        assert refusal(city("mn\n0A\n", "count = 2"))[0] == (
            "[[station]] count: expected 1 at most, as many as stations.csv has, found 2 (line 4)"
        )

    @pytest.mark.parametrize(
        ("listing", "message", "hint"),
        [
            ("mn\n0A\n0B\n0A\n", ", line 4: mn 0A stands in line 2 as well", ""),
            ("mn,nme\n0A,x\n", ", line 1: no such column: nme", "did you mean name?"),
            ("mn,mn\n0A,0B\n", ", line 1: the column mn comes twice", ""),
            ("id\n0A\n", ", line 1: the column mn is missing", "the first line names the columns"),
            ("", ", line 1: the column mn is missing", "the first line names the columns"),
            ("mn\n", ": no station of kind door", ""),
            ("mn,pw\n0A\n", ", line 2: expected 2 columns, found 1", ""),
            ("mn,pw\n0A,1,2\n", ", line 2: expected 2 columns, found 3", ""),
            ("mn\n0A 0B\n", ", line 2: mn: expected digits and letters, 64 at most, found '0A 0B'", ""),
            ("mn\n\n6.401E+23\n", ", line 3: mn: expected digits and letters, 64 at most, found '6.401E+23'",
             "a spreadsheet has made a number of it: format the column as text"),
            ("mn,st\n0A,810\n", ", line 2: st: expected two digits or capital letters, found '810'", ""),
            ("mn,site\n0A,plant\n", ", line 2: site: the group has no site", 'add site = "..." to its [[station]]'),
            ("mn,pw\n0A,***\n", ", line 2: pw is masked", "export it with --show-secrets"),
            ("mn,key\n0A,S3cr3t\n", ", line 2: key: expected 32 hexadecimal digits, found '***'", ""),
            ('mn,name\n0A,"x\n', ", line 2: unexpected end of data", ""),
        ],
    )  # fmt: skip
    def test_rows_that_are_refused(self, city: Callable[..., str], listing: str, message: str, hint: str) -> None:
        path = city(listing)
        assert refusal(path) == (f"{Path(path).parent / 'stations.csv'}{message}", hint)

    @pytest.mark.parametrize("name", ["plant-0", "plant-3", "plant", "plnt-1"])
    def test_site_that_is_not_there(self, city: Callable[..., str], name: str) -> None:
        text = "site = 'plant'\n[[site]]\nname = 'plant'\ncount = 2"
        message, _ = refusal(city(f"mn,site\n0A,{name}\n", text))
        assert message.endswith(f", line 2: site: expected plant-1 ... plant-2, found '{name}'")

    @pytest.mark.parametrize(
        ("other", "twice"),
        [("mn = '0B'", "0B"), ("mn = '09'\ncount = 2", "0A"), ("mn = '0C'", ""), ("identities = 'stations.csv'", "0A")],
    )
    def test_against_other_groups(self, city: Callable[..., str], other: str, twice: str) -> None:
        path = city("mn\n0A\n0B\n0a\n", f"[[station]]\n{other}")
        if twice:
            assert refusal(path) == (f"[[station]] mn: two stations would be {twice}", "")
        else:
            assert load(path).count == 4

    @pytest.mark.parametrize("key", ["mn = '0A'", "id = '64010000001320000001'"])
    def test_not_beside_a_range(self, city: Callable[..., str], key: str) -> None:
        kind = "door" if key.startswith("mn") else "dome"
        assert "is said by the file of identities (line 4)" in refusal(city("mn,id\n", key, kind=kind))[0]

    def test_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageFault, match=r"cannot read the identities .*none\.csv: no such file"):
            parse("[[station]]\nidentities = 'none.csv'", folder=tmp_path)

    @pytest.mark.parametrize("data", ["mn\n0A\n".encode("utf-16"), b"mn,name\n0A,\x81\xff\xff\n"])
    def test_other_encodings(self, city: Callable[..., str], data: bytes) -> None:
        assert refusal(city(data))[0].endswith(": neither UTF-8 nor GB 18030")

    def test_no_repr_shows_a_password(self, city: Callable[..., str]) -> None:
        scenario = load(city(f"mn,pw,key\n0A,{PW},{'30' * 16}\n", f"pw = '{PW}'\nedition = '2025'"))
        for thing in (scenario, scenario.station[0].listed, *scenario.members()):
            assert PW not in repr(thing)
            assert "3030" not in repr(thing)


class TestExport:
    TEXT = (
        "[[site]]\nname = 'plant'\ncount = 2\n"
        f"[[station]]\nmn = '0A'\nsite = 'plant'\npw = '{PW}'\n"
        f"[[station]]\nkind = 'nvr'\nname = 'recorders'\ncount = 1\npassword = '{PW}'\n"
    )

    @pytest.fixture
    def simulator(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
        (tmp_path / "city.toml").write_text(self.TEXT, "utf-8")

        def call(*arguments: str) -> tuple[int, str, str]:
            code = run(cli, ["identities", str(tmp_path / "city.toml"), *arguments])
            return code, *capsys.readouterr()

        return call

    def test_on_the_terminal(self, simulator: Callable[..., tuple[int, str, str]]) -> None:
        assert simulator() == (
            0,
            "kind,group,mn,id,st,site,name\n"
            "door,door,0A,,81,plant-1,\n"
            "door,door,0B,,81,plant-2,\n"
            "nvr,recorders,,64010000001180000001,,,\n",
            "",
        )

    def test_passwords_only_on_demand(self, simulator: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
        file = tmp_path / "out.csv"
        for how in ((), ("--json",), ("--csv", str(file))):
            _, out, err = simulator(*how)
            assert PW not in out + err
        assert PW not in file.read_text("utf-8")
        shown = list(csv.DictReader(simulator("--show-secrets")[1].splitlines()))
        assert [(row["pw"], row["password"]) for row in shown] == [(PW, ""), (PW, ""), ("", PW)]

    def test_json(self, simulator: Callable[..., tuple[int, str, str]]) -> None:
        lines = [json.loads(line) for line in simulator("--json")[1].splitlines()]
        assert lines == list(rows(parse(self.TEXT)))

    def test_file_is_read_again(self, simulator: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
        file = tmp_path / "stations.csv"
        code, out, err = simulator("--csv", str(file), "--show-secrets")
        assert (code, out, err) == (0, "", f"3 stations written to {file}\n")
        again = load_beside(
            tmp_path,
            "[[site]]\nname = 'plant'\ncount = 2\n[[station]]\nidentities = 'stations.csv'\nsite = 'plant'\n"
            "[[station]]\nkind = 'nvr'\nname = 'recorders'\nidentities = 'stations.csv'",
        )
        assert [who(one) for one in again.members()] == [who(one) for one in parse(self.TEXT).members()]

    def test_file_that_cannot_be_written(self, simulator: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
        code, _, err = simulator("--csv", str(tmp_path / "none" / "out.csv"))
        assert code == 4
        assert err.startswith("Error: cannot write ")

    def test_many_are_written_one_by_one(self) -> None:
        scenario = replace(parse("[[station]]\nmn = '00000001'"), station=(StationGroup(count=10**6, mn="00000001"),))
        assert [row["mn"] for row in islice(rows(scenario), 2)] == ["00000001", "00000002"]


def load_beside(folder: Path, text: str) -> Scenario:
    (folder / "again.toml").write_text(text, "utf-8")
    return load(str(folder / "again.toml"))


def who(one: Member) -> tuple[str, ...]:
    secret = one.pw if one.group.protocol == "hj212" else one.password
    return one.identity, one.st, secret, one.site_name if one.site_group else ""
