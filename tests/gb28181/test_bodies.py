"""Bodies: each command in both editions and every charset, the composed messages, what peers write, and safety."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gb28181 import GBT_28181_2016, GBT_28181_2022, RULES, LocalProtocolError, Rules, XmlError
from gb28181.manscdp import BODIES, Body, Element, Kind, Need, Node, Other, Record, elements_of, read, write
from gb28181.manscdp.configs import BasicParam, Osd, OsdText, SnapShot
from gb28181.manscdp.controls import AlarmReset, Configure, HomePositionControl, KeyFrame, OtherControl, PtzControl
from gb28181.manscdp.items import CatalogInfo, CatalogItem
from gb28181.manscdp.notifies import (
    AlarmInfo,
    AlarmNotice,
    AlarmParam,
    Broadcast,
    CatalogNotice,
    FaultyDevices,
    Keepalive,
    MediaStatus,
    PositionNotice,
)
from gb28181.manscdp.queries import AlarmQuery, CatalogQuery, RecordQuery
from gb28181.manscdp.responses import BroadcastAnswer, CatalogAnswer, ControlAnswer, StatusAnswer
from gb28181.tables.commands import command_rows

from .examples import CHANNEL, DEVICE, KEEPALIVE_BODY

HEAD = '<?xml version="1.0" encoding="GB18030"?>\r\n'
CHARSETS = ("GB2312", "GBK", "GB18030", "UTF-8")
names = st.text("北门枪机东南西仓库萳𠮷abcXYZ019 -_<>&\"'", min_size=1, max_size=12).map(str.strip)


def lines(text: str) -> bytes:
    return (HEAD + text.strip().replace("\n", "\r\n") + "\r\n").encode("gb18030")


def value_of(row: Element, rules: Rules, draw: st.DrawFn) -> Any:
    if not isinstance(row.kind, Kind):
        return draw(records(row.kind, rules))
    match row.kind:
        case Kind.ID:
            return draw(st.sampled_from([DEVICE, CHANNEL, "340200", "34"]))
        case Kind.INTEGER:
            return draw(st.integers(0, 99_999))
        case Kind.DECIMAL:
            return draw(st.decimals(-180, 180, places=draw(st.integers(0, 6))))
        case Kind.DATETIME:
            return "2026-01-02T03:04:05"
        case Kind.SWITCH:
            return draw(st.sampled_from(["ON", "OFF"]))
        case Kind.RESULT:
            return draw(st.sampled_from(["OK", "ERROR"]))
    return draw(names)


@st.composite
def records(draw: st.DrawFn, cls: type[Record], rules: Rules, full: bool = False) -> Any:
    values: dict[str, Any] = {}
    for row in elements_of(cls):
        need = row.need(rules.edition)
        if need is Need.ABSENT or not (full or need is Need.MANDATORY or draw(st.booleans())):
            continue
        if row.most > 1:
            values[row.python] = tuple(value_of(row, rules, draw) for _ in range(draw(st.integers(0, 2))))
        else:
            values[row.python] = value_of(row, rules, draw)
    return cls(**values)


class TestEveryCommand:
    def test_each_row_of_the_table_has_its_record(self) -> None:
        rows = {(row.root, row.cmd_type, row.sub_command) for row in command_rows()}
        assert rows == set(BODIES)

    @pytest.mark.parametrize("charset", CHARSETS)
    @pytest.mark.parametrize(
        ("rules", "row"),
        [(rules, row) for rules in RULES.values() for row in command_rows() if rules.edition in row.editions],
        ids=lambda each: each.edition if isinstance(each, Rules) else f"{each.root}-{each.cmd_type}-{each.sub_command}",
    )
    @settings(max_examples=4, suppress_health_check=list(HealthCheck), deadline=None)
    @given(data=st.data())
    def test_written_read_and_written_again_is_the_same(self, rules: Rules, row: Any, charset: str, data: Any) -> None:
        cls = BODIES[row.root, row.cmd_type, row.sub_command]
        body = data.draw(records(cls, rules, full=data.draw(st.booleans())))
        written = write(body, rules, charset=charset)
        reading = read(written, rules=rules)
        assert reading.body == body
        assert [each for each in reading.deviations if not each.code.startswith("charset")] == []
        assert write(reading.body, rules, charset=charset) == written
        assert body.missing(rules) == ()

    def test_rows_have_terms_and_distinct_tags(self) -> None:
        seen: set[type[Record]] = set()

        def walk(cls: type[Record]) -> None:
            if cls in seen:
                return
            seen.add(cls)
            tags = [row.tag for row in elements_of(cls)]
            assert len(tags) == len(set(tags))
            for row in elements_of(cls):
                assert row.zh
                if not isinstance(row.kind, Kind):
                    walk(row.kind)

        for cls in BODIES.values():
            walk(cls)
        assert len(seen) > 75


class TestComposed:
    def test_keepalive(self) -> None:
        body = Keepalive(sn=43, device_id=DEVICE, status="OK", info=FaultyDevices())
        assert write(body, GBT_28181_2022) == KEEPALIVE_BODY
        assert len(KEEPALIVE_BODY) == 185
        assert read(KEEPALIVE_BODY).body == body

    def test_catalogue(self) -> None:
        assert len(write(CatalogQuery(sn=17, device_id=DEVICE), GBT_28181_2022)) == 145
        item = CatalogItem(
            device_id=CHANNEL,
            name="北门枪机",
            manufacturer="Demo",
            model="IPC-1",
            civil_code="340200",
            address="北门",
            parental=0,
            parent_id=DEVICE,
            register_way=1,
            secrecy=0,
            status="ON",
            longitude=Decimal("118.376451"),
            latitude=Decimal("31.326319"),
            info=CatalogInfo(ptz_type=1),
        )
        body = CatalogAnswer(sn=17, device_id=DEVICE, total=3, items=(item,))
        data = write(body, GBT_28181_2022)
        assert len(data) == 646
        assert b"<Info><PTZType>1</PTZType></Info>\r\n" in data
        assert "北门枪机".encode("gb18030") in data
        assert read(data).body == body

    def test_ptz(self) -> None:
        body = PtzControl(
            sn=90,
            device_id=CHANNEL,
            command="A50F010180000036",
            rest=(Node("Info", children=(Node("ControlPriority", "5"),)),),
        )
        data = write(body, GBT_28181_2022)
        assert len(data) == 241
        assert read(data).body == body

    @pytest.mark.parametrize(
        ("body", "text"),
        [
            (
                Broadcast(sn=61, source_id="34020000001360000001", target_id="34020000001370000001"),
                "<Notify>\n<CmdType>Broadcast</CmdType>\n<SN>61</SN>\n<SourceID>34020000001360000001</SourceID>\n"
                "<TargetID>34020000001370000001</TargetID>\n</Notify>",
            ),
            (
                BroadcastAnswer(sn=61, device_id="34020000001370000001", result="OK"),
                "<Response>\n<CmdType>Broadcast</CmdType>\n<SN>61</SN>\n<DeviceID>34020000001370000001</DeviceID>\n"
                "<Result>OK</Result>\n</Response>",
            ),
            (
                AlarmNotice(
                    sn=71,
                    device_id="34020000001340000001",
                    priority="4",
                    method="5",
                    time="2026-01-02T03:04:05",
                    info=AlarmInfo(type=6, param=AlarmParam(event_type=1)),
                ),
                "<Notify>\n<CmdType>Alarm</CmdType>\n<SN>71</SN>\n<DeviceID>34020000001340000001</DeviceID>\n"
                "<AlarmPriority>4</AlarmPriority>\n<AlarmMethod>5</AlarmMethod>\n"
                "<AlarmTime>2026-01-02T03:04:05</AlarmTime>\n<Info>\n<AlarmType>6</AlarmType>\n"
                "<AlarmTypeParam><EventType>1</EventType></AlarmTypeParam>\n</Info>\n</Notify>",
            ),
            (
                Configure(
                    sn=81,
                    device_id=CHANNEL,
                    snapshot=SnapShot(
                        count=2,
                        interval_s=1,
                        upload_url="http://192.0.2.10:8080/snap",
                        session_id="0f1e2d3c4b5a69788796a5b4c3d2e1f0",
                    ),
                ),
                f"<Control>\n<CmdType>DeviceConfig</CmdType>\n<SN>81</SN>\n<DeviceID>{CHANNEL}</DeviceID>\n"
                "<SnapShotConfig>\n<SnapNum>2</SnapNum>\n<Interval>1</Interval>\n"
                "<UploadURL>http://192.0.2.10:8080/snap</UploadURL>\n"
                "<SessionID>0f1e2d3c4b5a69788796a5b4c3d2e1f0</SessionID>\n</SnapShotConfig>\n</Control>",
            ),
            (
                RecordQuery(
                    sn=91,
                    device_id=CHANNEL,
                    start_time="2026-01-02T00:00:00",
                    end_time="2026-01-02T23:59:59",
                    secrecy=0,
                    type="all",
                ),
                f"<Query>\n<CmdType>RecordInfo</CmdType>\n<SN>91</SN>\n<DeviceID>{CHANNEL}</DeviceID>\n"
                "<StartTime>2026-01-02T00:00:00</StartTime>\n<EndTime>2026-01-02T23:59:59</EndTime>\n"
                "<Secrecy>0</Secrecy>\n<Type>all</Type>\n</Query>",
            ),
            (
                CatalogNotice(sn=5, device_id=DEVICE, total=1, items=(CatalogItem(device_id=CHANNEL, event="OFF"),)),
                f"<Notify>\n<CmdType>Catalog</CmdType>\n<SN>5</SN>\n<DeviceID>{DEVICE}</DeviceID>\n<SumNum>1</SumNum>\n"
                f'<DeviceList Num="1">\n<Item>\n<DeviceID>{CHANNEL}</DeviceID>\n<Event>OFF</Event>\n</Item>\n'
                "</DeviceList>\n</Notify>",
            ),
            (
                MediaStatus(sn=8, device_id=CHANNEL, type="121"),
                f"<Notify>\n<CmdType>MediaStatus</CmdType>\n<SN>8</SN>\n<DeviceID>{CHANNEL}</DeviceID>\n"
                "<NotifyType>121</NotifyType>\n</Notify>",
            ),
        ],
        ids=lambda each: type(each).__name__ if isinstance(each, Body) else "",
    )
    def test_further_bodies(self, body: Body, text: str) -> None:
        data = lines(text)
        assert write(body, GBT_28181_2022) == data
        reading = read(data)
        assert (reading.body, reading.deviations) == (body, ())


class TestEditions:
    def test_the_key_frame_is_spelt_as_the_edition_has_it(self) -> None:
        body = KeyFrame(sn=1, device_id=CHANNEL, command="Send")
        old, new = write(body, GBT_28181_2016), write(body, GBT_28181_2022)
        assert b"<IFameCmd>Send" in old
        assert b"<IFrameCmd>Send" in new
        assert b'encoding="GB2312"' in old
        assert read(old).body == read(new).body == body

    def test_what_an_edition_lacks_is_not_written_unless_wanted(self) -> None:
        body = Configure(sn=1, device_id=DEVICE, osd=Osd(texts=(OsdText(text="a", x=1, y=2),)))
        with pytest.raises(LocalProtocolError, match="2016 has no OSDConfig"):
            write(body, GBT_28181_2016)
        data = write(body, GBT_28181_2016, anyway=True)
        assert [each.code for each in read(data, rules=GBT_28181_2016).deviations] == ["not-in-edition"]
        assert read(data, rules=GBT_28181_2022).deviations == ()

    def test_positions_in_both_forms(self) -> None:
        flat = lines(
            f"<Notify>\n<CmdType>MobilePosition</CmdType>\n<SN>1</SN>\n<DeviceID>{DEVICE}</DeviceID>\n"
            "<Time>2026-01-02T03:04:05</Time>\n<Longitude>118.30</Longitude>\n<Latitude>31.2</Latitude>\n</Notify>"
        )
        body = read(flat, rules=GBT_28181_2016).body
        assert isinstance(body, PositionNotice)
        assert (str(body.longitude), body.positions) == ("118.30", None)
        assert "SumNum" in body.missing(GBT_28181_2022)
        assert body.missing(GBT_28181_2016) == ()

    def test_what_is_missing_is_named(self) -> None:
        assert StatusAnswer(sn=1).missing(GBT_28181_2022) == ("DeviceID", "Result", "Online", "Status")
        assert CatalogAnswer(sn=1, device_id=DEVICE, total=1, items=(CatalogItem(),)).missing(GBT_28181_2022) == (
            "DeviceID",
        )


class TestTolerance:
    def codes(self, text: str | bytes, rules: Rules = GBT_28181_2022) -> tuple[Body, list[str]]:
        reading = read(text if isinstance(text, bytes) else text.encode("gb18030"), rules=rules)
        return reading.body, [each.code for each in reading.deviations]

    def test_cmd_type_and_sn_as_attributes(self) -> None:
        body, codes = self.codes(f'<Query CmdType="Catalog" SN="7"><DeviceID>{DEVICE}</DeviceID></Query>')
        assert body == CatalogQuery(sn=7, device_id=DEVICE)
        assert codes == ["attribute", "attribute"]

    def test_tags_in_another_case(self) -> None:
        body, codes = self.codes(f"<query><cmdType>Catalog</cmdType><Sn>7</Sn><deviceid>{DEVICE}</deviceid></query>")
        assert body == CatalogQuery(sn=7, device_id=DEVICE)
        assert codes == ["tag-spelling"] * 3

    def test_blanks_empty_and_foreign_values(self) -> None:
        body, codes = self.codes(
            f"<Response><CmdType>Catalog</CmdType><SN> 0017 </SN><DeviceID>{DEVICE}</DeviceID><SumNum>many</SumNum>"
            "<DeviceList Num='2'><Item><DeviceID>1</DeviceID><Longitude></Longitude><Status>ONLINE</Status>"
            "<Parental>65535</Parental><Vendor>x</Vendor></Item></DeviceList></Response>"
        )
        assert isinstance(body, CatalogAnswer)
        assert (body.sn, str(body.sn), body.total) == (17, "0017", None)
        assert body.items is not None
        (item,) = body.items
        assert (item.longitude, item.status, item.parental) == (None, "ONLINE", 65535)
        assert [node.name for node in item.rest] == ["Longitude", "Vendor"]
        assert codes == ["value", "value", "value", "value", "count"]
        written = write(body, GBT_28181_2022)
        for kept in (b"<SN>0017</SN>", b"<SumNum>many</SumNum>", b"<Longitude></Longitude>", b"<Vendor>x</Vendor>"):
            assert kept in written

    def test_other_spellings(self) -> None:
        body, codes = self.codes(
            f"<Query><CmdType>Alarm</CmdType><SN>1</SN><DeviceID>{DEVICE}</DeviceID>"
            "<StartTime>2026-01-02T03:04:05</StartTime></Query>"
        )
        assert body == AlarmQuery(sn=1, device_id=DEVICE, start_time="2026-01-02T03:04:05")
        assert codes == []
        body, _ = self.codes(
            f"<Response><CmdType>DeviceStatus</CmdType><SN>1</SN><DeviceID>{DEVICE}</DeviceID>"
            "<AlarmStatus num='0'></AlarmStatus></Response>"
        )
        assert isinstance(body, StatusAnswer)
        assert body.alarms == ()

    def test_the_wrong_root(self) -> None:
        body, codes = self.codes("<Notify><CmdType>DeviceControl</CmdType><SN>1</SN><Result>OK</Result></Notify>")
        assert (type(body), codes) == (ControlAnswer, ["root"])

    def test_unescaped_signs(self) -> None:
        body, codes = self.codes(
            f"<Response><CmdType>DeviceControl</CmdType><SN>1</SN><DeviceID>{DEVICE}</DeviceID>"
            "<Result>OK</Result><Reason>a & b < c</Reason></Response>\x00\x00"
        )
        assert isinstance(body, ControlAnswer)
        assert body.rest[0].text == "a & b < c"
        assert codes == ["garbage", "unescaped", "unescaped"]

    def test_a_line_end_behind_the_root_is_no_garbage(self) -> None:
        _, codes = self.codes("<Response><CmdType>DeviceControl</CmdType><SN>1</SN><Reason>a&b</Reason></Response>\r\n")
        assert codes == ["unescaped"]

    def test_what_stands_among_the_items_stays_there(self) -> None:
        body, codes = self.codes(
            f"<Response><CmdType>Catalog</CmdType><SN>1</SN><DeviceID>{DEVICE}</DeviceID><SumNum>1</SumNum>"
            f'<DeviceList Num="1"><SN>x</SN><Item><DeviceID>{CHANNEL}</DeviceID></Item></DeviceList></Response>'
        )
        assert codes == ["list-item"]
        written = write(body, GBT_28181_2022)
        assert written.count(b"<DeviceList") == 1
        assert read(written).body == body

    def test_what_no_edition_has_is_kept_whole(self) -> None:
        text = (
            f"<Query><CmdType>Horoscope</CmdType><SN>1</SN><DeviceID>{DEVICE}</DeviceID><A b='c'><D>e</D></A></Query>"
        )
        body, _ = self.codes(text)
        assert isinstance(body, Other)
        assert (body.root, body.cmd_type, body.sn, body.device_id) == ("Query", "Horoscope", 1, DEVICE)
        again = read(write(body, GBT_28181_2022)).body
        assert again == body
        other, _ = self.codes("<Control><CmdType>DeviceControl</CmdType><SN>1</SN><Dance>1</Dance></Control>")
        assert (type(other), other.rest[0].name) == (OtherControl, "Dance")

    @pytest.mark.parametrize("command", [AlarmReset, HomePositionControl])
    def test_a_control_without_its_content(self, command: type[Body]) -> None:
        body, _ = self.codes(f"<Control><CmdType>DeviceControl</CmdType><SN>1</SN><{command.SUB_COMMAND}/></Control>")
        assert type(body) is command

    @pytest.mark.parametrize(
        ("declared", "codec", "charset", "expected"),
        [
            ("GB2312", "gbk", None, []),
            ("GB2312", "utf-8", None, ["charset-wrong"]),
            ("UTF-8", "utf-8", None, []),
            ("UTF-8", "gb18030", None, ["charset-wrong"]),
            ("GB2312", "utf-8", "UTF-8", []),
            ("", "gb18030", None, []),
        ],
    )
    def test_what_is_declared_and_what_is_sent(
        self, declared: str, codec: str, charset: str | None, expected: list[str]
    ) -> None:
        head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
        data = (
            head + f"<Control><CmdType>DeviceConfig</CmdType><SN>1</SN><DeviceID>{DEVICE}</DeviceID>"
            "<BasicParam><Name>北门萳机一号</Name></BasicParam></Control>"
        ).encode(codec)
        reading = read(data, charset=charset)
        assert isinstance(reading.body, Configure)
        assert reading.body.basic == BasicParam(name="北门萳机一号")
        assert [each.code for each in reading.deviations] == expected


class TestSafety:
    def body(self, inner: str) -> bytes:
        return f"<Query><CmdType>Catalog</CmdType><SN>1</SN>{inner}</Query>".encode()

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b'<!DOCTYPE q [<!ENTITY a "b">]><Query>&a;</Query>', "document type"),
            (b'<?xml version="1.0"?><!DOCTYPE q SYSTEM "file:///etc/passwd"><Query/>', "document type"),
            (b"<Query>" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</Query>", "at most 16 levels"),
            (b"<Query>" + b"x" * (2 << 20) + b"</Query>", "bytes"),
            (b"<Query>" + b"<a/>" * 150_000 + b"</Query>", "elements"),
            (b"<Query><Name>" + b"y" * 100_000 + b"</Name></Query>", "characters"),
            (b"", "nothing"),
            (b"hello", "well-formed"),
            (b"\x00\xff\xfe", "well-formed|nothing"),
        ],
        ids=["entity", "external", "depth", "size", "count", "text", "empty", "words", "bytes"],
    )
    def test_refused_with_one_error(self, data: bytes, words: str) -> None:
        with pytest.raises(XmlError, match=words):
            read(data)

    def test_a_thousand_laughs(self) -> None:
        bomb = "<!DOCTYPE z [" + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)) + "]>"
        with pytest.raises(XmlError, match="document type"):
            read((bomb + "<Query>&l9;</Query>").encode())

    def test_an_unknown_entity_is_text(self) -> None:
        body = read(self.body("<Name>&nbsp;</Name>")).body
        assert body.rest[0].text == "&nbsp;"

    @given(st.integers(0, 2**32))
    def test_damage_raises_the_documented_error_only(self, seed: int) -> None:
        chance = random.Random(seed)
        data = bytearray(
            write(
                CatalogAnswer(
                    sn=1, device_id=DEVICE, total=1, items=(CatalogItem(device_id=CHANNEL, name="北门", status="ON"),)
                ),
                GBT_28181_2022,
            )
        )
        for _ in range(chance.randrange(1, 8)):
            at = chance.randrange(len(data))
            data[at : at + chance.randrange(4)] = chance.choice(
                [b"<", b">", b"&", b"/", b"", b"\xb1", bytes([at % 256])]
            )
        try:
            reading = read(bytes(data))
        except XmlError:
            return
        try:
            again = write(reading.body, GBT_28181_2022, anyway=True)
        except LocalProtocolError:
            return
        assert read(again).body == reading.body
