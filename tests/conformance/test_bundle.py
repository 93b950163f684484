"""Sealed evidence: any change to a bundle, down to one bit, is found and named."""

from __future__ import annotations

import io
import json
import random
import struct
import sys
import zipfile
from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.bundle import Key, check_attachments, open_bundle, rejudge, seal, verify
from conformance.bundle.archive import (
    MAX_ARCHIVE_BYTES,
    MAX_MEMBERS,
    ArchiveError,
    is_name,
    pack,
    unpack,
)
from conformance.bundle.canonical import NotCanonicalError, dump, load
from conformance.bundle.manifest import Signature, digest
from conformance.bundle.sealing import MAX_ATTACHMENTS, plan_json, verdicts_json
from conformance.judge import judge
from conformance.plan import make_plan
from conformance.profile import Limits, Profile
from conformance.report import facts, jsonlines
from conformance.transcript import Transcript
from stationgate.exits import DataFault, ExitCode, UsageFault

from .bundles import (
    CREATED,
    KEY,
    OTHER_KEY,
    demo_bundle,
    resealed,
    run_of,
    small_bundle,
    small_profile,
    whole_bundle,
    with_run,
)
from .conftest import demo_run, recording


def faults(data: bytes) -> list[str]:
    return [str(fault) for fault in verify(data).faults]


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


class TestArchive:
    def test_every_bit_of_it_is_fixed(self) -> None:
        """The bytes of a zip on any machine: literal, so that another Python cannot write another one unnoticed."""
        packed = pack({"manifest.sig": b"S", "manifest.json": b"{}"})
        crc = {data: zipfile.crc32(data) for data in (b"{}", b"S")}

        def record(name: bytes, data: bytes) -> bytes:
            return struct.pack("<HHHHHLLLHH", 20, 0, 0, 0, 0x21, crc[data], len(data), len(data), len(name), 0)

        def entry(name: bytes, data: bytes, at: int) -> bytes:
            # Made on Unix by version 2.0; -rw------- in the high word of the attributes.
            middle = struct.pack("<BB", 20, 3) + record(name, data)
            return b"PK\x01\x02" + middle + struct.pack("<HHHLL", 0, 0, 0, 0o600 << 16, at) + name

        first = b"PK\x03\x04" + record(b"manifest.json", b"{}") + b"manifest.json" + b"{}"
        second = b"PK\x03\x04" + record(b"manifest.sig", b"S") + b"manifest.sig" + b"S"
        directory = entry(b"manifest.json", b"{}", 0) + entry(b"manifest.sig", b"S", len(first))
        end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 2, 2, len(directory), len(first + second), 0)
        assert packed == first + second + directory + end

    def test_returns_what_was_packed(self) -> None:
        members = {"attachments/门禁 抓包.pcap": bytes(range(256)), "report.html": b"", "manifest.json": b"x" * 100_000}
        assert unpack(pack(members)) == members
        assert list(unpack(pack(members))) == ["manifest.json", "report.html", "attachments/门禁 抓包.pcap"]
        assert unpack(pack({})) == {}

    @pytest.mark.parametrize(
        "name",
        ["", "a", "../manifest.json", "attachments/", "attachments/../x", "attachments/a/b", "attachments/a:b",
         "attachments/.x", "attachments/ x", "attachments/a\\b", "attachments/a\x00", "Manifest.json",
         "attachments/" + "门" * 60, "manifest.json "],
    )  # fmt: skip
    def test_only_members_of_a_bundle_have_a_name(self, name: str) -> None:
        assert not is_name(name)
        with pytest.raises(ValueError, match="no name"):
            pack({name: b""})

    def test_packs_no_more_than_it_reads(self) -> None:
        with pytest.raises(ValueError, match="more members"):
            pack({f"attachments/{i}": b"" for i in range(MAX_MEMBERS + 1)})

    @pytest.mark.parametrize(
        ("how", "why"),
        [
            ("order", "the members are not in the order of a bundle"),
            ("comment", "the file does not end as a bundle does"),
            ("date", "byte 12 was changed: it belongs to the zip record of manifest.json"),
            ("deflated", "manifest.json is compressed or encrypted: no bundle is"),
            ("gap", "byte 0 was changed"),
            ("system", "it belongs to the directory of the archive"),
            ("duplicate", "or one stands there twice"),
        ],
    )
    def test_other_zips_of_the_same_members_are_refused(self, how: str, why: str) -> None:
        members = {"manifest.json": b"{}" * 20, "manifest.sig": b"S"}
        buffer = io.BytesIO(b"gap" if how == "gap" else b"")
        names = list(members)[:: -1 if how == "order" else 1] + (["manifest.sig"] if how == "duplicate" else [])
        with zipfile.ZipFile(buffer, "a" if how == "gap" else "w") as archive:
            for name in names:
                info = zipfile.ZipInfo(name, (1980, 1, 2 if how == "date" else 1, 0, 0, 0))
                info.create_system = 0 if how == "system" else 3
                info.external_attr = 0o600 << 16
                if how == "deflated":
                    info.compress_type = zipfile.ZIP_DEFLATED
                if how == "duplicate" and name in archive.namelist():
                    with pytest.warns(UserWarning, match="Duplicate"):
                        archive.writestr(info, members[name])
                else:
                    archive.writestr(info, members[name])
            archive.comment = b"hello" if how == "comment" else b""
        with pytest.raises(ArchiveError) as raised:
            unpack(buffer.getvalue())
        assert why in str(raised.value.said)


class TestCanonicalJson:
    @pytest.mark.parametrize(
        "raw",
        [b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1,"a":1}', b"[1.0e0]", b"NaN", b'"\xe9"', '"门"'.encode(), b"", b"{",
         b"1" * 5000, b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b"\xef\xbb\xbf{}", b"{}\n", b'"\\u0041"'],
    )  # fmt: skip
    def test_other_forms_are_refused(self, raw: bytes) -> None:
        with pytest.raises(NotCanonicalError):
            load(raw)

    def test_own_form(self) -> None:
        value = {"b": [1, 1.5, None, True], "a": "门\n\ud800"}
        assert load(dump(value)) == value


#: Seven is prime to eight: a bit of every byte at least, and in turn each bit of a byte. All of them in the soak tier.
each_bit = pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.soak)])


class TestFlippedBits:
    @each_bit
    def test_every_bit_of_a_small_bundle(self, step: int) -> None:
        whole = small_bundle()
        assert verify(whole).intact
        assert len(whole) < 12_000
        for bit in range(0, len(whole) * 8, step):
            found = verify(flipped(whole, bit))
            assert found.exit_code is ExitCode.FAIL, f"bit {bit} may be flipped"
            assert found.faults

    @each_bit
    @pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
    def test_every_bit_of_what_is_signed_in_an_archive_that_is_whole(self, name: str, step: int) -> None:
        members = unpack(small_bundle())
        for bit in range(0, len(members[name]) * 8, step):
            assert not verify(pack({**members, name: flipped(members[name], bit)})).intact, f"bit {bit} of {name}"

    @pytest.mark.parametrize("name", [n for n in unpack(small_bundle()) if not n.startswith("manifest.")])
    def test_any_member_in_an_archive_that_is_whole(self, name: str) -> None:
        members = unpack(small_bundle())
        changed = flipped(members[name], len(members[name]) * 4) if members[name] else b"x"
        assert faults(pack({**members, name: changed})) == [
            f"{name} was changed: its SHA-256 is not what the manifest says"
        ]

    def test_sampled_bits_of_a_whole_run(self) -> None:
        whole = demo_bundle("modbus-crc")
        assert verify(whole).intact
        draw = random.Random(212)
        for bit in draw.sample(range(len(whole) * 8), 400):
            assert not verify(flipped(whole, bit)).intact, f"bit {bit} may be flipped"

    def test_says_where(self) -> None:
        whole = small_bundle()
        at = whole.index(b"<p>")
        assert "report.html was changed" in faults(flipped(whole, at * 8))[0]
        dated = whole.index(b"PK\x03\x04", 1) + 12
        assert faults(flipped(whole, dated * 8)) == [
            f"byte {dated} was changed: it belongs to the zip record of manifest.sig"
        ]
        attributes = whole.index(b"PK\x01\x02") + 38
        assert faults(flipped(whole, attributes * 8)) == [
            f"byte {attributes} was changed: it belongs to the directory of the archive"
        ]


class TestCutAndAddedTo:
    def test_truncated_at_every_length(self) -> None:
        whole = small_bundle()
        for size in range(len(whole)):
            found = verify(whole[:size])
            assert not found.intact, f"{size} bytes of it pass"

    @pytest.mark.parametrize("more", [b"\0", b"\n", b"PK\x05\x06" + b"\0" * 18, b"x" * 70_000])
    def test_appended_and_prepended(self, more: bytes) -> None:
        assert not verify(small_bundle() + more).intact
        assert not verify(more + small_bundle()).intact

    def test_two_bundles_in_one_file(self) -> None:
        assert not verify(small_bundle() + small_bundle()).intact


class TestMembers:
    def test_swapped(self) -> None:
        members = unpack(small_bundle())
        swapped = {**members, "plan.json": members["profile.toml"], "profile.toml": members["plan.json"]}
        assert len(faults(pack(swapped))) == 2

    def test_of_another_bundle(self) -> None:
        members = unpack(small_bundle())
        assert not verify(pack({**members, "verdicts.json": unpack(demo_bundle())["verdicts.json"]})).intact

    @pytest.mark.parametrize("name", list(unpack(small_bundle())))
    def test_missing(self, name: str) -> None:
        members = unpack(small_bundle())
        del members[name]
        assert faults(pack(members)) == [f"{name} is missing"]

    def test_extra(self) -> None:
        assert faults(pack({**unpack(small_bundle()), "attachments/b": b""})) == [
            "attachments/b does not belong to the bundle"
        ]


class TestContentsThatContradictEachOther:
    """Signed, by whoever: the contents themselves are wrong."""

    def test_resealing_alone_changes_nothing(self) -> None:
        assert verify(resealed(small_bundle(), {})).intact

    @pytest.mark.parametrize("name", ["profile.toml", "plan.json", "transcript.jsonl", "verdicts.json", "report.html"])
    def test_required_member(self, name: str) -> None:
        assert faults(resealed(small_bundle(), {name: None})) == [f"{name} is missing"]

    def test_transcript_with_a_changed_entry(self) -> None:
        lines = unpack(small_bundle())["transcript.jsonl"].replace(b'"t_mono":1.5', b'"t_mono":1.6')
        assert faults(resealed(small_bundle(), {"transcript.jsonl": lines})) == [
            "transcript.jsonl, line 4: the hash chain breaks here"
        ]

    def test_transcript_without_an_entry(self) -> None:
        lines = unpack(small_bundle())["transcript.jsonl"].splitlines(keepends=True)
        assert faults(resealed(small_bundle(), {"transcript.jsonl": b"".join(lines[:2] + lines[3:])})) == [
            "transcript.jsonl, line 3: an entry is missing, added or out of order"
        ]

    def test_transcript_without_its_end(self) -> None:
        lines = unpack(small_bundle())["transcript.jsonl"].splitlines(keepends=True)
        assert faults(resealed(small_bundle(), {"transcript.jsonl": b"".join(lines[:-1])})) == [
            "transcript.jsonl is not the transcript that the manifest names"
        ]

    @pytest.mark.parametrize("spoil", [lambda t: t[:-1], lambda t: t + b"\n", lambda t: t.replace(b"\n", b"\r\n")])
    def test_transcript_in_another_form(self, spoil: object) -> None:
        lines = unpack(small_bundle())["transcript.jsonl"]
        assert not verify(resealed(small_bundle(), {"transcript.jsonl": spoil(lines)})).intact  # type: ignore[operator]

    def test_profile_that_the_run_was_not_made_with(self) -> None:
        text = unpack(small_bundle())["profile.toml"].replace(b"918273", b"918274")
        assert faults(resealed(small_bundle(), {"profile.toml": text}, profile=digest(text))) == [
            "profile.toml is not the profile that the run was made with"
        ]

    def test_plan_that_the_run_was_not_made_with(self) -> None:
        plan = load(unpack(small_bundle())["plan.json"])
        assert faults(resealed(small_bundle(), {"plan.json": dump({**plan, "select": []})})) == [
            "plan.json is not the plan that the run was made with"
        ]

    def test_verdicts_that_the_manifest_does_not_count(self) -> None:
        verdicts = load(unpack(small_bundle())["verdicts.json"])
        verdicts["cases"][0]["verdict"] = "FAIL"
        assert faults(resealed(small_bundle(), {"verdicts.json": dump(verdicts)})) == [
            "verdicts.json does not agree with the manifest"
        ]

    @pytest.mark.parametrize(
        "change", [{"exit_code": 3}, {"entries": 4}, {"transcript": "0" * 64}, {"profile": "1" * 64}]
    )
    def test_manifest_that_says_otherwise(self, change: dict[str, object]) -> None:
        assert not verify(resealed(small_bundle(), {}, **change)).intact

    def test_later_schema(self) -> None:
        members = unpack(small_bundle())
        raw = members["manifest.json"].replace(b'"schema":1', b'"schema":2')
        signature = Signature(KEY.public, KEY.sign(raw)).to_bytes()
        assert faults(pack({**members, "manifest.json": raw, "manifest.sig": signature})) == [
            "a later version of the suite sealed this: verify it with that one"
        ]


class TestSigner:
    def test_another_key_signs_an_intact_bundle(self) -> None:
        found = verify(small_bundle(OTHER_KEY), KEY.fingerprint)
        assert (found.intact, found.signer_trusted, found.exit_code) == (True, False, ExitCode.FAIL)
        assert found.fingerprint == OTHER_KEY.fingerprint

    def test_trusted(self) -> None:
        found = verify(small_bundle(), KEY.fingerprint)
        assert (found.intact, found.signer_trusted, found.exit_code) == (True, True, ExitCode.OK)
        assert verify(small_bundle()).signer_trusted is None

    def test_signature_of_another_key_under_a_trusted_name(self) -> None:
        members = unpack(small_bundle())
        forged = Signature(KEY.public, OTHER_KEY.sign(members["manifest.json"])).to_bytes()
        found = verify(pack({**members, "manifest.sig": forged}), KEY.fingerprint)
        assert [str(f) for f in found.faults] == ["the signature does not fit the manifest: one of them was changed"]
        assert found.exit_code is ExitCode.FAIL


def zip_with_directory_of(count: int) -> bytes:
    """A zip of nothing but a directory: each entry claims the same place."""
    entry = struct.pack("<4sBBHHHHHLLLHHHHHLL", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    directory = (entry + b"a") * count
    sizes = len(directory) & 0xFFFFFFFF, 0
    return directory + struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, count & 0xFFFF, count & 0xFFFF, *sizes, 0)


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("transcript.jsonl", b"\0" * (64 << 20))
    return buffer.getvalue()


def overlapping() -> bytes:
    """Members that all stand at the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("report.html", b"x" * 100_000)
        whole = archive.filelist[0]
        for number in range(40):
            info = copy(whole)
            info.filename = f"attachments/{number:05}"
            archive.filelist.append(info)
    return buffer.getvalue()


HOSTILE_ARCHIVES = {
    "empty": b"",
    "two bytes": b"PK",
    "zeros": b"\0" * 100,
    "no members": b"PK\x05\x06" + b"\0" * 18,
    "all ones": b"PK\x05\x06" + b"\xff" * 18,
    "100 members": zip_with_directory_of(100),
    "10^6 members": zip_with_directory_of(1_000_000),
    "bomb": bomb(),
    "overlapping": overlapping(),
    "zip64": b"x" * 22 + b"PK\x06\x07" + b"\xff" * 16 + b"PK\x05\x06" + b"\0" * 18,
}
NONSENSE = (
    b"", b"null", b"[]", b"{}", b"[" * 50_000, b'{"a":' * 50_000, b"9" * 20_000, b"a = " + b"[" * 20_000, b"\xff\xfe",
    b'{"seq":' + b"9" * 20_000 + b"}\n", b'{"select":null,"exclude":null,"mode":{}}', b"true\n" * 1000,
)  # fmt: skip


class TestHostile:
    """Files made to hurt the reader end with one sentence."""

    @pytest.mark.parametrize("data", HOSTILE_ARCHIVES.values(), ids=HOSTILE_ARCHIVES.keys())
    def test_archives(self, data: bytes) -> None:
        found = verify(data)
        assert found.exit_code is ExitCode.FAIL
        assert found.faults

    def test_too_large(self) -> None:
        class Large(bytes):
            def __len__(self) -> int:
                return MAX_ARCHIVE_BYTES + 1

        assert faults(Large(b"x")) == [f"the file is larger than {MAX_ARCHIVE_BYTES} bytes"]

    @pytest.mark.parametrize(
        "name", ["plan.json", "verdicts.json", "transcript.jsonl", "profile.toml", "manifest.json"]
    )
    @pytest.mark.parametrize("raw", NONSENSE, ids=range(len(NONSENSE)))
    def test_signed_nonsense(self, name: str, raw: bytes) -> None:
        if name == "manifest.json":
            signature = Signature(KEY.public, KEY.sign(raw)).to_bytes()
            data = pack({**unpack(small_bundle()), name: raw, "manifest.sig": signature})
        else:
            data = resealed(small_bundle(), {name: raw})
        assert verify(data).exit_code is ExitCode.FAIL

    @pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"null", b"[" * 50_000, b"9" * 10_000])
    def test_nonsense_for_a_signature(self, raw: bytes) -> None:
        assert not verify(pack({**unpack(small_bundle()), "manifest.sig": raw})).intact

    def test_manifest_of_no_time(self) -> None:
        found = verify(resealed(small_bundle(), {}, created=1e300))
        assert found.intact
        assert found.manifest is not None
        assert found.manifest.created == 1e300

    def test_signed_transcript_that_no_run_writes(self, tmp_path: Path) -> None:
        profile, transcript = small_profile(), Transcript(epoch=0.0, clock="virtual")
        plan = make_plan(profile, ["access/link/speaks"])
        transcript.add("run", 0.0, **run_of(plan, profile))
        transcript.add("step", 0.0, phase="begin")  # of which step?
        lines = transcript.to_lines()
        verdicts = load(unpack(small_bundle())["verdicts.json"])
        verdicts["end"]["transcript_sha256"] = transcript.digest
        changes: dict[str, bytes | None] = {"transcript.jsonl": lines, "verdicts.json": dump(verdicts)}
        data = resealed(small_bundle(), changes, transcript=transcript.digest, entries=2)
        (tmp_path / "odd.zip").write_bytes(data)
        assert verify(data).intact
        with pytest.raises(DataFault, match="holds what no run writes"):
            rejudge(open_bundle(tmp_path / "odd.zip"))


class TestSealing:
    def test_sealing_twice_gives_the_same_bytes(self) -> None:
        profile, plan = demo_run()
        assert whole_bundle(profile, plan, recording()) == demo_bundle()

    def test_holds_what_the_run_was(self, tmp_path: Path) -> None:
        profile, plan = demo_run()
        (tmp_path / "门禁.zip").write_bytes(demo_bundle())
        bundle = open_bundle(tmp_path / "门禁.zip")
        assert bundle.transcript.to_lines() == with_run(recording(), plan, profile).to_lines()
        assert bundle.profile == profile or bundle.profile.to_toml() == profile.to_toml()
        assert (bundle.select, bundle.exclude, bundle.mode) == (plan.select, plan.exclude, plan.mode)
        assert bundle.fingerprint == KEY.fingerprint
        assert bundle.manifest.created == CREATED
        assert bundle.manifest.contains_secrets
        assert bundle.members["report.html"].startswith(b"<!")
        assert bundle.manifest.transcript.encode() in bundle.members["report.html"]

    def test_verdicts_are_those_of_json_lines(self) -> None:
        profile, plan = demo_run()
        transcript = with_run(recording(), plan, profile)
        report = facts.build(judge(transcript, profile, plan), transcript, profile, plan, version="1")
        events = [json.loads(line) for line in jsonlines.render(report).splitlines()]
        stored = load(dump(verdicts_json(report)))
        assert [stored["run"], *stored["cases"], stored["end"]] == events
        assert sorted(plan_json(plan)["cases"]) == sorted(case["id"] for case in stored["cases"])

    def test_report_of_other_verdicts_is_refused(self, tmp_path: Path) -> None:
        profile, plan = demo_run()
        good, bad = (judge(recording(*faults), profile, plan) for faults in ((), ("modbus-crc",)))
        report = facts.build(good, recording(), profile, plan, version="1")
        with pytest.raises(ValueError, match="not of these verdicts"):
            seal(
                tmp_path / "a", transcript=recording(), profile=profile, plan=plan, results=bad, report=report,
                key=KEY, created=0.0,
            )  # fmt: skip
        assert list(tmp_path.iterdir()) == []

    def test_a_failing_write_leaves_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        profile, plan = demo_run()
        results = judge(recording(), profile, plan)
        report = facts.build(results, recording(), profile, plan, version="1")
        target = tmp_path / "door.zip"
        target.write_bytes(b"old")

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            seal(target, transcript=recording(), profile=profile, plan=plan, results=results, report=report, key=KEY,
                 created=0.0)  # fmt: skip
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("door.zip", b"old")]

    @pytest.mark.skipif(sys.platform == "win32", reason="rights of Windows are not these")
    def test_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        profile, plan = demo_run()
        results = judge(recording(), profile, plan)
        report = facts.build(results, recording(), profile, plan, version="1")
        sealed = seal(tmp_path / "a.zip", transcript=recording(), profile=profile, plan=plan, results=results,
                      report=report, key=KEY, created=0.0)  # fmt: skip
        assert sealed.path.stat().st_mode & 0o777 == 0o600
        assert sealed.fingerprint == KEY.fingerprint


class TestAttachments:
    def test_are_sealed_with_the_run(self, tmp_path: Path) -> None:
        photo = tmp_path / "门禁机 照片.jpg"
        photo.write_bytes(b"\xff\xd8\xff")
        profile, plan = demo_run()
        data = whole_bundle(profile, plan, recording(), attachments=[photo])
        assert verify(data).intact
        assert unpack(data)["attachments/门禁机 照片.jpg"] == b"\xff\xd8\xff"

    def test_two_of_one_name(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        for path in (tmp_path / "Log.txt", tmp_path / "a" / "log.TXT"):
            path.write_bytes(b"")
        with pytest.raises(UsageFault, match=r"two files are called log\.TXT"):
            check_attachments([tmp_path / "Log.txt", tmp_path / "a" / "log.TXT"])

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
    def test_signs_that_windows_refuses(self, tmp_path: Path) -> None:
        (tmp_path / "a:b?.pcap").write_bytes(b"")
        assert list(check_attachments([tmp_path / "a:b?.pcap"])) == ["a-b-.pcap"]

    def test_missing_too_many_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(UsageFault, match="no such file"):
            check_attachments([tmp_path / "none"])
        with pytest.raises(UsageFault, match="at most 64 fit"):
            check_attachments([tmp_path / "none"] * (MAX_ATTACHMENTS + 1))
        (tmp_path / "large").write_bytes(b"123")
        monkeypatch.setattr("conformance.bundle.sealing.MAX_ATTACHMENTS_BYTES", 2)
        with pytest.raises(UsageFault, match="have 3 bytes, at most 2 fit"):
            check_attachments([tmp_path / "large"])


class TestRejudging:
    @pytest.mark.parametrize("fault", ["", "modbus-crc", "loses-records-offline", "endless-resend"])
    def test_changes_nothing(self, fault: str, tmp_path: Path) -> None:
        (tmp_path / "a.zip").write_bytes(demo_bundle(*filter(None, [fault])))
        judged = rejudge(open_bundle(tmp_path / "a.zip"))
        assert (judged.changes, judged.regrounded) == ((), ())
        profile, plan = demo_run()
        assert [(r.case, r.outcome) for r in judged.results] == [
            (r.case, r.outcome)
            for r in judge(with_run(recording(*filter(None, [fault])), plan, profile), profile, plan)
        ]

    def test_a_limit_declared_at_its_usual_value_stays_declared(self) -> None:
        profile, _plan = demo_run()
        name = next(name for name, limit in profile.limits.items() if limit.origin == "suite")
        declared = replace(profile.limits[name], origin="profile")
        own = replace(profile, limits=Limits({**profile.limits, name: declared}))
        assert Profile.from_toml(own.to_toml()).limits[name].origin == "profile"
        assert Profile.from_toml(own.to_toml()).to_toml() == own.to_toml()

    def test_names_what_changed(self, tmp_path: Path) -> None:
        """A bundle whose sealed verdicts are not those that its record gives."""
        verdicts = load(unpack(small_bundle())["verdicts.json"])
        case = verdicts["cases"][0]
        right = case["verdict"]
        case["verdict"] = "ERROR"
        counts = {name: int(name == "ERROR") for name in verdicts["end"]["counts"]}
        verdicts["end"]["counts"] = counts
        data = resealed(small_bundle(), {"verdicts.json": dump(verdicts)}, counts=counts)
        (tmp_path / "a.zip").write_bytes(data)
        judged = rejudge(open_bundle(tmp_path / "a.zip"))
        assert [(c.case, c.before, c.after) for c in judged.changes] == [(case["id"], "ERROR", right)]


def test_key_shows_nothing_private() -> None:
    key = Key.from_seed(b"\x07" * 32)
    assert repr(key) == f"<Key {key.fingerprint}>"
    assert len(key.fingerprint.split()) == 16
