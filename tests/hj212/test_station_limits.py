"""Where a station's limits are, and what comes of data that no frame can hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from hj212 import HJ_212_2017, ExeRtn, LocalProtocolError
from hj212.connection import MAX_UNSENT_BYTES
from hj212.station import (
    ClockSet,
    MemoryOutbox,
    Policy,
    RecordDropped,
    SiteFailed,
    Station,
    UploadDelivered,
    UploadStored,
    WhyDropped,
)

from .back_to_back import MN, Pair, live, minute

LONG = [("w01018-Info", "x" * 2000)]


class TestUploads:
    def test_item_that_no_packet_holds_is_the_callers_error(self) -> None:
        pair = Pair(HJ_212_2017)
        with pytest.raises(LocalProtocolError, match="w01018-Info: one item of"):
            pair.report("3020", [[("DataTime", "20250915100000")], LONG])
        assert (len(pair.station.outbox), pair.up) == (0, [])

    def test_more_than_may_wait_goes_to_the_store(self) -> None:
        pair = Pair(HJ_212_2017, policy=Policy(max_waiting=3))
        pair.lose_up = lambda message: True
        records = [pair.report("2011", live(f"2025091510000{second}"))[0] for second in range(9)]
        assert [event.record for event in pair.of(UploadStored)] == records[4:6]  # four are under way, three wait
        pair.lose_up = lambda message: False
        pair.wait(60)
        assert len(pair.station.outbox) == 0
        assert {m.parameter("DataTime") for m in pair.uploads} == {record.data_time for record in records}

    def test_full_outbox_drops_what_waits_for_its_turn(self) -> None:
        pair = Pair(HJ_212_2017, outbox=MemoryOutbox(limit=6))
        pair.lose_up = lambda message: message.cn == "2011"
        records = [pair.report("2011", live(f"2025091510000{second}"))[0] for second in range(9)]
        assert [event.record for event in pair.of(RecordDropped)] == records[:3]
        while len(pair.of(RecordDropped)) < 9:
            records += pair.report("2051", minute(f"2025091511{len(records):02}00"))
        pair.lose_up = lambda message: False
        pair.wait(60)
        assert len(pair.station.outbox) == 0
        waited = records[4:9]
        sent = {m.parameter("DataTime") for m in pair.uploads}
        assert not sent & {record.data_time for record in waited}

    def test_stored_packet_that_no_longer_fits_is_dropped_and_said(self) -> None:
        """The edition's limit became smaller while it waited."""
        outbox = MemoryOutbox()
        pair = Pair(HJ_212_2017, outbox=outbox, link=False)
        values = [(f"w{number:05}-Rtd", "1") for number in range(50)]
        (record,) = pair.report("2011", [[("DataTime", "20250915100000")], *([value] for value in values)])
        pair.report("2011", live())
        tight = Pair(replace(HJ_212_2017, max_segment_bytes=300, max_parameters_bytes=300), outbox=outbox)
        tight.wait(5)
        (dropped,) = tight.of(RecordDropped)
        assert (dropped.record.id, dropped.why) == (record.id, WhyDropped.ILLEGAL)
        assert "at most 300" in dropped.detail
        assert (len(outbox), len(tight.of(UploadDelivered))) == (0, 1)

    def test_transport_that_takes_nothing_is_not_flooded(self) -> None:
        """Without acknowledgements only what is written counts: the rest waits in the outbox."""
        pair = Pair(HJ_212_2017, policy=Policy(acknowledged=False))
        for number in range(2000):
            pair.station.report("2011", live(f"20250915{number // 60:04}{number % 60:02}"), pair.now)
        assert len(pair.station.outbox) == 2000
        assert len(pair.station.data_to_send()) < MAX_UNSENT_BYTES // 100


class TestRequests:
    def test_value_that_no_packet_holds(self) -> None:
        pair = Pair(HJ_212_2017)
        pair.greet()
        pair.site.outcomes["3020"] = [LONG]
        assert pair.ask("3020", {"InfoId": "i11001", "PolId": "w01018"}).code == ExeRtn.SYSTEM_FAULT
        assert [type(event.error) for event in pair.of(SiteFailed)] == [LocalProtocolError]

    def test_record_that_no_packet_holds(self) -> None:
        pair = Pair(HJ_212_2017)
        pair.greet()
        times = [f"2025091509000{second}" for second in range(3)]
        pair.site.records["3020"] = [[[("DataTime", time)], LONG if second == 1 else [("i11001-Info", "//ok//")]]
                                     for second, time in enumerate(times)]  # fmt: skip
        result = pair.ask("3020", {"InfoId": "i11001"}, begin=times[0], end=times[2])
        assert (result.code, len(result.messages)) == (ExeRtn.SYSTEM_FAULT, 1)

    def test_long_records_travel_in_packets(self) -> None:
        pair = Pair(HJ_212_2017)
        pair.greet()
        values = [[(f"w{number:05}-Avg", "123.456")] for number in range(120)]
        pair.site.records["2051"] = [[[("DataTime", f"2025091509000{second}")], *values] for second in range(2)]
        result = pair.ask("2051", begin="20250915090000", end="20250915090001")
        assert [len(message.items) for message in result.messages] == [121, 121]

    def test_source_of_records_that_fails_at_once(self) -> None:
        def history(*_asked: Any) -> Iterator[Any]:
            raise OSError("disk")

        pair = Pair(HJ_212_2017, history=history)
        pair.greet()
        result = pair.ask("2051", begin="20250915090000", end="20250915090001")
        assert result.code == ExeRtn.SYSTEM_FAULT

    def test_remembered_requests_are_few(self) -> None:
        """The first of many is another request when it comes again."""
        pair = Pair(HJ_212_2017, policy=Policy(max_remembered=2))
        pair.greet()
        pair.site.outcomes["3012"] = ExeRtn.SUCCESS
        for _ in range(4):
            pair.ask("3012", {"PolId": "w01018"})
        requests = [message for message in pair.down if message.cn == "3012"]
        for message, executed in ((requests[3], 4), (requests[0], 5)):
            pair.station.receive_data(message.encode(HJ_212_2017), pair.now)
            pair.run()
            assert len(pair.site.asked) == executed


class TestContract:
    def test_second_link_is_an_error(self) -> None:
        pair = Pair(HJ_212_2017)
        with pytest.raises(LocalProtocolError, match="a link already"):
            pair.station.connected(0.0)

    def test_without_a_link_nothing_happens(self) -> None:
        pair = Pair(HJ_212_2017, link=False)
        station: Station = pair.station
        station.receive_data(b"##", 0.0)
        station.receive_eof(0.0)
        station.handle_timeout(0.0)
        assert (station.data_to_send(), station.next_timeout(), station.events()) == (b"", None, [])
        assert (station.linked, station.rules, station.settings.mn) == (False, HJ_212_2017, MN)
        assert "no link" in repr(station)

    def test_end_may_be_told_twice(self) -> None:
        pair = Pair(HJ_212_2017)
        pair.report("2011", live())
        pair.cut()
        pair.station.receive_eof(0.0)
        assert pair.station.events() == []

    def test_clock_event_comes_after_the_settings(self) -> None:
        pair = Pair(HJ_212_2017)
        pair.greet()
        pair.ask("1012", {"SystemTime": "20250915100500"})
        kinds = [type(event).__name__ for event in pair.found]
        assert kinds == ["RequestAnswered", "RequestEnded", "SettingsChanged", "ClockSet"]
        assert pair.of(ClockSet)[0].offset_s == 300
