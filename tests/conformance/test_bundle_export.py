"""The redacted copy: nothing secret in it, nor anything that a secret could be found from; tied to its original."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from conformance.bundle import export_redacted, open_bundle, verify, verify_link
from conformance.bundle.archive import pack, unpack
from conformance.bundle.canonical import dump, load
from conformance.bundle.manifest import Manifest, digest
from conformance.bundle.opening import Bundle
from conformance.demo import PEOPLE, PW, demo_profile
from conformance.plan import make_plan
from conformance.profile import Profile
from conformance.transcript import Transcript
from stationgate import __version__
from stationgate.exits import DataFault, ExitCode, UsageFault

from .bundles import KEY, OTHER_KEY, demo_bundle, resealed, small_bundle, whole_bundle, with_run
from .conftest import recording

NAMES = {"tester": "王检测", "reviewer": "欧阳校核"}
#: As a whole number: the explanations of the suite have the text 123456789 in them.
PASSWORD = re.compile(rb"(?<![0-9])" + PW.encode() + rb"(?![0-9])")
BADGES = [code.encode() for code in PEOPLE.values() if code]


@cache
def original() -> bytes:
    """A whole run with a fault of the CRC, signed for by people."""
    profile = replace(demo_profile(), test={**NAMES, "place": "银川", "basis": "HJ 212-2017"})
    plan = make_plan(profile)
    # The demo's record was made with another profile: its acts and bytes under this one.
    bare = [entry for entry in recording("modbus-crc") if entry.kind != "run"]
    transcript = Transcript(epoch=recording().epoch, clock="virtual")
    for entry in bare:
        fields = {name: getattr(entry, name) for name in ("data", "device", "link", "transport", "direction")}
        transcript.add(entry.kind, entry.t_mono, **fields, **entry.attachment)
    transcript.add("note", transcript[-1].t_mono, text=f"{NAMES['tester']} and {PEOPLE['A']} were there, PW={PW}")
    return whole_bundle(profile, plan, with_run(transcript, plan, profile), attachments=[Path(__file__)])


@cache
def opened() -> Bundle:
    found = verify(original())
    assert found.bundle is not None, [str(fault) for fault in found.faults]
    return found.bundle


@cache
def copy() -> bytes:
    return export_redacted(opened(), key=OTHER_KEY, created=1.0)


def secrets_in(data: bytes) -> list[bytes]:
    return [*PASSWORD.findall(data), *(code for code in BADGES if code in data)]


class TestSecrets:
    def test_of_a_full_bundle_are_in_three_members_only(self) -> None:
        members = unpack(original())
        assert {name for name in members if secrets_in(members[name])} <= {
            "profile.toml",
            "capture.pcapng",
            "transcript.jsonl",
        }
        assert PASSWORD.search(members["profile.toml"])
        assert secrets_in(members["capture.pcapng"])
        texts = b"".join(entry.data for entry in opened().transcript)
        assert all(code in texts for code in BADGES)
        assert PASSWORD.search(texts)

    def test_of_a_copy_are_nowhere(self) -> None:
        for name, data in unpack(copy()).items():
            assert secrets_in(data) == [], name
            text = data.decode()
            spoken = load(data) if name.endswith(".json") else text
            assert not any(person in f"{text}{spoken}" for person in NAMES.values()), name

    def test_nothing_of_the_wire_is_in_a_copy(self) -> None:
        members = unpack(copy())
        assert list(members) == [
            "manifest.json", "manifest.sig", "profile.toml", "plan.json", "transcript.jsonl", "verdicts.json",
            "report.html",
        ]  # fmt: skip
        lines = [load(line) for line in members["transcript.jsonl"].splitlines()]
        assert not any("bytes" in line or "hash" in line for line in lines)
        assert "PW=***" in lines[next(i for i, line in enumerate(lines) if "text" in line)]["text"]

    def test_names_are_masked_everywhere(self) -> None:
        lines = [load(line) for line in unpack(copy())["transcript.jsonl"].splitlines()]
        assert lines[-1]["attachment"]["text"] == "*** and person-1 were there, PW=***"
        profile = Profile.from_toml(lines[0]["attachment"]["profile"])
        assert (profile.device["pw"], profile.test["tester"], profile.test["place"]) == ("***", "***", "银川")

    def test_log_texts_are_hidden(self) -> None:
        """They may name people in words."""
        logs = [entry for entry in opened().transcript if b"i31001" in entry.data]
        assert logs
        lines = [load(line) for line in unpack(copy())["transcript.jsonl"].splitlines()]
        for entry in logs:
            assert re.search(r"i31001(-Info)?=\*\*\*", lines[entry.seq]["text"]), lines[entry.seq]

    def test_no_check_value_is_in_a_copy(self) -> None:
        """Sixteen bits over everything but six unknown digits leave fifteen passwords to try."""
        shown = b"".join(unpack(copy()).values())
        assert not re.search(rb"&&[0-9A-F]{4}\\", shown)
        assert b"computed ***" in shown
        assert re.search(r"computed [0-9A-F]{4}", unpack(original())["verdicts.json"].decode())
        last = [line["text"] for line in map(load, unpack(copy())["transcript.jsonl"].splitlines()) if "text" in line]
        assert {text[-7:] for text in last} == {"***\\r\\n"}

    def test_no_hash_of_a_single_entry_is_in_a_copy(self) -> None:
        """The hash of an entry of which only a password is unknown gives that password away."""
        shown = b"".join(unpack(copy()).values())
        assert [entry.seq for entry in opened().transcript.entries[:-1] if entry.hash.encode() in shown] == []
        assert digest(opened().members["profile.toml"]).encode() not in shown

    def test_times_are_coarser_than_recorded(self) -> None:
        lines = [load(line) for line in unpack(copy())["transcript.jsonl"].splitlines()]
        assert all(line[key] == round(line[key], 3) for line in lines for key in ("t_mono", "t_wall"))


class TestCopy:
    def test_is_verified_as_what_it_is(self) -> None:
        found = verify(copy())
        assert found.intact
        assert found.bundle is None
        assert found.copy is not None
        assert found.copy.origin.sha256 == digest(original())
        assert found.copy.origin.transcript == opened().transcript.digest
        assert not found.copy.manifest.contains_secrets
        assert found.fingerprint == OTHER_KEY.fingerprint
        assert len(found.copy.lines) == len(opened().transcript)

    def test_has_the_verdicts_of_its_original(self) -> None:
        pairs = [
            [(case["id"], case["verdict"]) for case in load(unpack(data)["verdicts.json"])["cases"]]
            for data in (original(), copy())
        ]
        assert pairs[0] == pairs[1]
        assert verify(copy()).manifest.counts == opened().manifest.counts  # type: ignore[union-attr]

    def test_is_the_same_each_time(self) -> None:
        assert export_redacted(opened(), key=OTHER_KEY, created=1.0) == copy()

    def test_keeps_how_the_run_ended(self) -> None:
        verdicts = load(unpack(demo_bundle())["verdicts.json"])
        verdicts["end"]["exit_code"] = 130
        found = verify(resealed(demo_bundle(), {"verdicts.json": dump(verdicts)}, exit_code=130)).bundle
        assert found is not None
        assert verify(export_redacted(found, key=KEY, created=0.0)).manifest.exit_code == 130  # type: ignore[union-attr]

    def test_bits_of_it_count_too(self) -> None:
        members = unpack(copy())
        for name in members:
            changed = bytearray(members[name])
            changed[len(changed) // 2] ^= 4
            assert not verify(pack({**members, name: bytes(changed)})).intact, name

    def test_cannot_be_opened_as_a_full_bundle(self, tmp_path: Path) -> None:
        (tmp_path / "copy.zip").write_bytes(copy())
        with pytest.raises(UsageFault, match="is a redacted copy") as raised:
            open_bundle(tmp_path / "copy.zip")
        assert digest(original()) in raised.value.hint

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda lines: lines[1:],
            lambda lines: [*lines[:3], *lines[4:]],
            lambda lines: [lines[1], lines[0], *lines[2:]],
            lambda lines: [lines[0].replace(b'"seq":0', b'"seq":"0"'), *lines[1:]],
            lambda lines: [b'{"original":1}\n', *lines[1:]],
            lambda lines: [b"[]\n", *lines[1:]],
            lambda lines: [*lines[:-1], lines[-1][:-1]],
        ],
        ids=range(7),
    )
    def test_lines_that_no_copy_has(self, spoil: object) -> None:
        lines = unpack(copy())["transcript.jsonl"].splitlines(keepends=True)
        data = resealed(copy(), {"transcript.jsonl": b"".join(spoil(lines))})  # type: ignore[operator]
        assert [str(fault) for fault in verify(data).faults] == ["transcript.jsonl is not written as a bundle's is"]

    def test_members_that_no_copy_has(self) -> None:
        data = resealed(copy(), {"capture.pcapng": b"", "attachments/x": b""})
        assert len(verify(data).faults) == 2

    def test_manifest_that_denies_secrets(self) -> None:
        assert verify(resealed(small_bundle(), {}, contains_secrets=False)).exit_code is ExitCode.FAIL
        assert verify(resealed(copy(), {}, contains_secrets=True)).exit_code is ExitCode.FAIL


class TestLink:
    def test_to_its_original(self) -> None:
        found = verify(copy()).copy
        assert found is not None
        assert verify_link(found, opened()) == ()

    def test_to_another_bundle(self) -> None:
        found, other = verify(copy()).copy, verify(demo_bundle()).bundle
        assert found is not None
        assert other is not None
        assert "was not made from this bundle" in str(verify_link(found, other)[0])

    def test_to_an_original_sealed_anew(self) -> None:
        """The same run under another signature is another bundle."""
        found, other = verify(copy()).copy, verify(resealed(original(), {}, created=5.0)).bundle
        assert found is not None
        assert other is not None
        assert len(verify_link(found, other)) == 1

    @pytest.mark.parametrize(
        ("change", "suite"),
        [
            ({"original": "0" * 64}, __version__),
            ({"original": "0" * 64}, "another"),
            ({"t_wall": 1.0}, "another"),
            ({"text": "##"}, __version__),
        ],
    )
    def test_with_a_line_of_another_run(self, change: dict[str, object], suite: str) -> None:
        lines = unpack(copy())["transcript.jsonl"].splitlines(keepends=True)
        number = next(i for i, line in enumerate(lines) if b'"text"' in line)
        line = load(lines[number][:-1])
        lines[number] = dump({**line, **change}) + b"\n"
        found = verify(resealed(copy(), {"transcript.jsonl": b"".join(lines)}, suite=suite)).copy
        assert found is not None
        assert [str(fault) for fault in verify_link(found, opened())] == [
            "the lines of the copy are not those of the original"
        ]

    def test_of_another_version_that_redacts_in_other_words(self) -> None:
        lines = unpack(copy())["transcript.jsonl"].replace(b"PW=***", b"PW=######")
        found = verify(resealed(copy(), {"transcript.jsonl": lines}, suite="another")).copy
        assert found is not None
        assert verify_link(found, opened()) == ()

    def test_with_other_verdicts(self) -> None:
        verdicts = load(unpack(copy())["verdicts.json"])
        a = next(case for case in verdicts["cases"] if case["verdict"] == "PASS")
        b = next(case for case in verdicts["cases"] if case["verdict"] != "PASS")
        a["verdict"], b["verdict"] = b["verdict"], a["verdict"]
        found = verify(resealed(copy(), {"verdicts.json": dump(verdicts)})).copy
        assert found is not None
        assert [str(fault) for fault in verify_link(found, opened())] == [
            "the verdicts of the copy are not those of the original"
        ]


def test_no_copy_of_verdicts_that_this_suite_does_not_give() -> None:
    verdicts = load(unpack(original())["verdicts.json"])
    case = next(case for case in verdicts["cases"] if case["verdict"] == "FAIL")
    case["verdict"] = "PASS"
    counts = Manifest.from_bytes(unpack(original())["manifest.json"]).counts
    counts = {**counts, "FAIL": counts["FAIL"] - 1, "PASS": counts["PASS"] + 1}
    verdicts["end"]["counts"] = counts
    found = verify(resealed(original(), {"verdicts.json": dump(verdicts)}, counts=counts)).bundle
    assert found is not None
    with pytest.raises(DataFault, match="judges this bundle otherwise"):
        export_redacted(found, key=KEY, created=0.0)
