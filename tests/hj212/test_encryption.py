"""SM4 data areas: the published vectors, and what a reader can find out by the check value."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212 import (
    HJ_212_2017,
    HJ_212_2025,
    HJ_T_212_2005,
    Connection,
    Frame,
    Framer,
    LocalProtocolError,
    Message,
    Role,
    build_frame,
    compose,
)
from hj212.encryption import (
    CipherForm,
    Key,
    Opened,
    area_span,
    encrypt_frame,
    encrypt_segment,
    multimedia_credentials,
    must_encrypt,
    open_frame,
    sm4_decrypt,
    sm4_encrypt,
)
from hj212.events import FrameRejected, MessageReceived, UploadAcknowledged
from hj212.host import Credential, Host, UploadReceived

TEST_KEY = Key(b"0" * 16)
HEAD = b"QN=20240520210700000;ST=31;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&"
LONG = (
    b"DataTime=20240520210600;a01011-Min=1.35,a01011-Avg=1.35,a01011-Max=1.35,a01011-Flag=N;"
    b"a01012-Min=9.3,a01012-Avg=9.3,a01012-Max=9.3,a01012-Flag=N;"
    b"a01014-Min=3.20,a01014-Avg=3.211,a01014-Max=3.212,a01014-Flag=N"
)
SHORT = (
    b"DataTime=20240520210600;a01011-Min=1.35,a01011-Avg=1.35,a01011-Max=1.35,a01011-Flag=N;"
    b"a01014-Min=3.20,a01014-Avg=3.20,a01014-Max=3.20,a01014-Flag=N"
)
LONG_CIPHER = bytes.fromhex(
    "E43E159ACFAB242CB53155FB8B9281A1A242577ABFAED881BE88B72D69FC55ED1A80119FAAC8B3CD33D285CC76F57F2CA7F88B9573C6647E"
    "0F07E24609BD6B63EB20C5B9784F28E71D2F4994FF61D9E1C2B3075592B4D1E09C4D8BB27BE97B559E3DA6643781A6F477769DEEB009B10D"
    "FFF3426922725D607DC4480F0CAC5F70DB2587B124BCB281592721D6E4BC180A97E5E111499CBE822E31C8D7761553543AA24207C290997B"
    "BDE64F9266BC5F529A172E381C1D898CA1A0D771A914A7B2D7467C70B94F1D4A7B0350A48DBF8B41"
)
SHORT_CIPHER = bytes.fromhex(
    "E43E159ACFAB242CB53155FB8B9281A1A242577ABFAED881BE88B72D69FC55ED1A80119FAAC8B3CD33D285CC76F57F2CA7F88B9573C6647E"
    "0F07E24609BD6B63EB20C5B9784F28E71D2F4994FF61D9E13B391A1D2A454B65388D5D9435DBF021528C7BF9755EF16518710C0CAC0ADEF9"
    "C5156CD0A5A17674AC0ED2ABC40023E9EF70128554B82438E91ADCE98A0D03A4"
)

keys = st.binary(min_size=16, max_size=16).map(Key)
areas = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="&"), max_size=120).map(str.encode)


def frame_of(raw: bytes) -> Frame:
    (frame,) = Framer().feed(raw)
    assert isinstance(frame, Frame)
    return frame


class TestVectors:
    def test_block_of_the_cipher_itself(self) -> None:
        block = bytes.fromhex("0123456789abcdeffedcba9876543210")
        assert sm4_encrypt(Key(block), block).hex() == "681edf34d206965e86b3e94f536e4246"

    @pytest.mark.parametrize(
        ("area", "cipher", "length", "crc"),
        [(LONG, LONG_CIPHER, b"0295", b"2200"), (SHORT, SHORT_CIPHER + b"g=N", b"0234", b"B541")],
        ids=["13 blocks", "9 blocks and a clear tail"],
    )
    def test_examples_of_a2(self, area: bytes, cipher: bytes, length: bytes, crc: bytes) -> None:
        raw = encrypt_frame(HEAD + area + b"&&", TEST_KEY)
        assert raw == b"##" + length + HEAD + cipher + b"&&" + crc + b"\r\n"
        frame = frame_of(raw)
        assert open_frame(frame, [TEST_KEY]) == Opened(HEAD + area + b"&&", CipherForm.RAW, TEST_KEY)

    def test_braces_as_printed(self) -> None:
        segment = HEAD + SHORT + b"&&"
        data = encrypt_segment(segment, TEST_KEY, CipherForm.BRACES)
        assert data[len(HEAD) : len(HEAD) + 16] == b"{0xE4,0x3E,0x15,"
        assert data.endswith(b",0xA4}g=N&&")
        assert len(encrypt_segment(HEAD + LONG + b"&&", TEST_KEY, CipherForm.BRACES)) == 1128
        opened = open_frame(frame_of(encrypt_frame(segment, TEST_KEY, CipherForm.BRACES)), [TEST_KEY])
        assert opened == Opened(segment, CipherForm.BRACES, TEST_KEY)

    def test_credentials_of_annex_h(self) -> None:
        shown = multimedia_credentials("testuser", "AezF0nZRs4kypuGO", Key(b"msbE74gsiSHSEh5e"))
        assert shown == "LG/m7lsFU/taig+vbQsDJXy4NGAaE2j2lplPwhZM7iM="


class TestCipher:
    @given(keys, st.binary(max_size=200))
    def test_there_and_back(self, key: Key, data: bytes) -> None:
        hidden = sm4_encrypt(key, data)
        assert len(hidden) == len(data)
        assert hidden[len(data) - len(data) % 16 :] == data[len(data) - len(data) % 16 :]
        assert sm4_decrypt(key, hidden) == data

    @given(keys, areas, st.sampled_from(CipherForm))
    def test_segment_there_and_back(self, key: Key, area: bytes, form: CipherForm) -> None:
        segment = HEAD + area + b"&&"
        frame = frame_of(encrypt_frame(segment, key, form))
        opened = open_frame(frame, [key])
        assert opened is not None
        assert opened.segment == segment
        assert (opened.form is None) == (len(area) < 16)

    def test_nothing_to_encrypt(self) -> None:
        with pytest.raises(LocalProtocolError, match="no data area"):
            encrypt_segment(b"QN=1;CP=DataTime=1", TEST_KEY)
        assert encrypt_segment(HEAD + b"&&", TEST_KEY) == HEAD + b"&&"

    def test_too_long_in_braces(self) -> None:
        with pytest.raises(LocalProtocolError, match="9999"):
            encrypt_frame(HEAD + b"1" * 4096 + b"&&", TEST_KEY, CipherForm.BRACES)

    def test_area(self) -> None:
        assert area_span(b"CP=&&1&&") == (5, 6)
        assert area_span(b"CP=&&&&") == (5, 5)
        assert area_span(b"CP=&&") is None
        assert area_span(b"CP=&&1") is None


class TestOpening:
    def test_in_clear(self) -> None:
        frame = frame_of(build_frame(HEAD + SHORT + b"&&"))
        assert open_frame(frame, [TEST_KEY]) == Opened(frame.segment)
        assert open_frame(frame, []) == Opened(frame.segment)

    def test_without_the_key(self) -> None:
        assert open_frame(frame_of(encrypt_frame(HEAD + SHORT + b"&&", TEST_KEY)), []) is None

    def test_the_right_one_of_several_keys(self) -> None:
        frame = frame_of(encrypt_frame(HEAD + SHORT + b"&&", TEST_KEY))
        wrong = [Key(bytes([n]) * 16) for n in range(7)]
        opened = open_frame(frame, [*wrong, TEST_KEY])
        assert opened is not None
        assert opened.key == TEST_KEY
        assert opened.segment == HEAD + SHORT + b"&&"

    def test_a_wrong_key_with_the_right_check_value_yields_to_the_right_key(self) -> None:
        # One key in 256 gives the same check value.
        frame = frame_of(encrypt_frame(HEAD + SHORT + b"&&", TEST_KEY))
        seeming = (Key(n.to_bytes(16, "big")) for n in range(10_000))
        wrong = next(key for key in seeming if open_frame(frame, [key]))
        opened = open_frame(frame, [wrong, TEST_KEY])
        assert opened is not None
        assert opened.key == TEST_KEY

    def test_at_most_some_keys_are_tried(self) -> None:
        frame = frame_of(encrypt_frame(HEAD + LONG + b"&&", TEST_KEY))
        wrong = [key for n in range(400) if open_frame(frame, [key := Key(n.to_bytes(16, "big"))]) is None]
        assert open_frame(frame, [*wrong[:8], TEST_KEY]) is None

    def test_damaged(self) -> None:
        raw = encrypt_frame(HEAD + SHORT + b"&&", TEST_KEY)
        other = bytes([raw[20] ^ 1])  # one changed byte is never missed
        frame = frame_of(raw[:20] + other + raw[21:])
        assert open_frame(frame, [TEST_KEY]) is None

    def test_length_that_lies(self) -> None:
        (frame,) = Framer().feed(b"##0009ST=91;CP=&&&&0000\r\n")
        assert isinstance(frame, Frame)
        assert open_frame(frame, [TEST_KEY]) is None


def upload(answer: bool = True) -> Message:
    items = [[("DataTime", "20240520210600")], [("a01011-Rtd", "1.35"), ("a01011-Flag", "N")]]
    return compose(
        HJ_212_2025,
        qn="20240520210700000",
        st="31",
        cn="2011",
        pw="123456",
        mn="010000A8900016F000169DC0",
        items=items,
        answer=answer,
    )


class TestConnection:
    def pair(self) -> tuple[Connection, Connection]:
        return (
            Connection(Role.STATION, HJ_212_2025, keys=lambda mn: [TEST_KEY]),
            Connection(Role.PLATFORM, HJ_212_2025, keys=lambda mn: [Key(b"AezF0nZRs4kypuGO"), TEST_KEY]),
        )

    def test_an_upload_travels_encrypted_and_is_acknowledged(self) -> None:
        station, platform = self.pair()
        station.send(upload(), 0.0)
        wire = station.data_to_send()
        assert b"CP=&&" in wire
        assert b"a01011" not in wire
        platform.receive_data(wire, 0.1)
        (event,) = platform.events()
        assert isinstance(event, MessageReceived)
        assert event.encrypted
        assert bytes(event.message) == bytes(upload())
        assert event.frame.raw == wire
        station.receive_data(platform.data_to_send(), 0.2)
        assert [type(event) for event in station.events()] == [UploadAcknowledged]

    def test_a_peer_that_reads_braces_is_written_to_with_braces(self) -> None:
        assert HJ_212_2025.encryption is not None
        rules = replace(HJ_212_2025, encryption=replace(HJ_212_2025.encryption, form=CipherForm.BRACES))
        station = Connection(Role.STATION, rules, keys=lambda mn: [TEST_KEY])
        station.send(upload(), 0.0)
        wire = station.data_to_send()
        assert wire == encrypt_frame(bytes(upload()), TEST_KEY, CipherForm.BRACES)
        _, platform = self.pair()
        platform.receive_data(wire, 0.1)
        (event,) = platform.events()
        assert isinstance(event, MessageReceived)
        assert bytes(event.message) == bytes(upload())

    def test_a_resend_is_recognised(self) -> None:
        station, platform = self.pair()
        station.send(upload(), 0.0)
        wire = station.data_to_send()
        platform.receive_data(wire + wire, 0.1)
        assert [event.repeated for event in platform.events() if isinstance(event, MessageReceived)] == [False, True]

    def test_in_clear_is_taken_too(self) -> None:
        _, platform = self.pair()
        platform.receive_data(upload().encode(HJ_212_2025), 0.0)
        (event,) = platform.events()
        assert isinstance(event, MessageReceived)
        assert not event.encrypted

    def test_without_the_key_it_is_rejected_and_the_link_goes_on(self) -> None:
        station, _ = self.pair()
        platform = Connection(Role.PLATFORM, HJ_212_2025)
        station.send(upload(), 0.0)
        platform.receive_data(station.data_to_send() + upload().encode(HJ_212_2025), 0.1)
        assert [type(event) for event in platform.events()] == [FrameRejected, MessageReceived]

    def test_without_a_key_of_the_station_it_is_sent_in_clear(self) -> None:
        station = Connection(Role.STATION, HJ_212_2025, keys=lambda mn: [])
        station.send(upload(), 0.0)
        assert station.data_to_send() == upload().encode(HJ_212_2025)

    def test_a_platform_writes_only_its_key_command_encrypted(self) -> None:
        _, platform = self.pair()
        message = upload()
        platform.send(message, 0.0)
        assert platform.data_to_send() == message.encode(HJ_212_2025)


class TestHost:
    def test_reads_the_first_upload_of_a_station_by_the_key_of_its_credential(self) -> None:
        credential = Credential("123456", keys=(TEST_KEY.value,))
        host = Host(HJ_212_2025, credentials=lambda mn: credential, wall=lambda: 1716210420.0)
        host.receive_data(encrypt_frame(bytes(upload()), TEST_KEY), 0.0)
        received = [event for event in host.events() if isinstance(event, UploadReceived)]
        assert [bytes(event.message) for event in received] == [bytes(upload())]


class TestDecode:
    def decode(self, *args: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "hj212", "decode", "-", "--lang", "en", "--edition", "2025", *args]
        wire = encrypt_frame(HEAD + LONG + b"&&", TEST_KEY)
        return subprocess.run(command, input=wire, capture_output=True, timeout=60, check=False)

    def test_with_the_key(self) -> None:
        done = self.decode("--key", "0" * 16, "--json")
        shape = json.loads(done.stdout)
        assert done.returncode == 0
        assert shape["encrypted"] == "raw"
        assert shape["crc_ok"]
        assert shape["items"][0] == [["DataTime", "20240520210600"]]
        assert b"was encrypted" in self.decode("--key", "30" * 16).stdout

    def test_without_the_key(self) -> None:
        done = self.decode("--json")
        shape = json.loads(done.stdout)
        assert done.returncode == 1
        assert [deviation["code"] for deviation in shape["deviations"]] == ["area-encrypted"]

    def test_a_new_key_is_not_shown(self) -> None:
        segment = HEAD.replace(b"CN=2051", b"CN=1014") + b"SKCreateTime=20260101000000000;NewSK=AezF0nZRs4kypuGO&&"
        for args in ((), ("--json",)):
            command = [sys.executable, "-m", "hj212", "decode", "-", *args]
            done = subprocess.run(command, input=build_frame(segment), capture_output=True, timeout=60, check=False)
            assert done.returncode == 0
            assert b"NewSK" in done.stdout
            assert b"AezF0nZ" not in done.stdout + done.stderr
        assert "AezF0nZ" not in repr(Message.from_bytes(segment)) + repr(Message.from_bytes(segment).segment)

    def test_no_key(self) -> None:
        done = self.decode("--key", "secret!")
        assert done.returncode == 2
        assert b"32 hexadecimal digits" in done.stderr
        assert b"secret!" not in done.stderr


class TestWhatIsEncrypted:
    @pytest.mark.parametrize(
        ("cn", "upward", "wanted"),
        [
            ("2011", True, True),
            ("2000", True, True),
            ("2999", True, True),
            ("2011", False, False),
            ("1014", True, True),
            ("1014", False, True),
            ("3020", True, True),
            ("3020", False, False),
            ("3019", True, False),
            ("9014", True, False),
            ("", True, False),
            ("２０１１", True, False),
        ],
    )
    def test_commands_of_6_4_4(self, cn: str, upward: bool, wanted: bool) -> None:
        assert must_encrypt(HJ_212_2025, cn, upward) is wanted

    @pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017])
    def test_earlier_editions_encrypt_nothing(self, rules) -> None:  # type: ignore[no-untyped-def]
        assert not must_encrypt(rules, "2011", True)


class TestKey:
    def test_is_never_shown(self) -> None:
        key = Key(b"AezF0nZRs4kypuGO")
        assert "Aez" not in repr(key) + str(key) + repr(Opened(b"", CipherForm.RAW, key))

    def test_as_people_write_it(self) -> None:
        assert Key.parse("30" * 16 + "\n") == TEST_KEY
        assert Key.parse("0" * 16) == TEST_KEY

    @pytest.mark.parametrize("text", ["", "30", "密" * 16, "3g" * 16, "0" * 17])
    def test_neither_form(self, text: str) -> None:
        with pytest.raises(ValueError, match="32 hexadecimal digits or 16 ASCII characters") as caught:
            Key.parse(text)
        assert not text or text not in str(caught.value)

    def test_wrong_size(self) -> None:
        with pytest.raises(ValueError, match="16 bytes, this one 3"):
            Key(b"abc")

    @pytest.mark.parametrize("value", [b"0" * 16, b"0123456789:;<=>?", b"abababababababab", b"12345678" * 2])
    def test_patterned(self, value: bytes) -> None:
        assert Key(value).patterned

    def test_not_patterned(self) -> None:
        assert not Key(b"AezF0nZRs4kypuGO").patterned


def test_importing_does_not_load_the_library() -> None:
    code = "import sys, hj212.encryption; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
