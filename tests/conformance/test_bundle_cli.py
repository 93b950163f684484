"""The commands on sealed evidence, as a person and as a program meets them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from conformance.__main__ import main
from conformance.bundle.archive import unpack
from conformance.bundle.canonical import dump, load
from stationgate import language
from stationgate.home import HOME_VARIABLE

from .bundles import KEY, OTHER_KEY, demo_bundle, resealed, small_bundle, small_profile, small_transcript, with_run
from .conftest import demo_run, recording

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    yield
    language.activate("en")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*argv: str | Path, lang: str = "en") -> tuple[int, str, str]:
        code = main([*map(str, argv), "--lang", lang])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "证据 2025"
    made.mkdir()
    (made / "门禁.zip").write_bytes(demo_bundle("modbus-crc"))
    (made / "small.zip").write_bytes(small_bundle())
    return made


def broken(folder: Path) -> Path:
    data = bytearray(small_bundle())
    data[data.index(b"<p>")] ^= 1
    (folder / "broken.zip").write_bytes(data)
    return folder / "broken.zip"


class TestVerify:
    def test_intact(self, run: Run, folder: Path) -> None:
        code, out, _err = run("verify", folder / "门禁.zip")
        assert code == 0
        lines = out.splitlines()
        assert lines[0] == f"{folder / '门禁.zip'}: intact, signer not checked"
        assert lines[1] == f"signed by: {KEY.fingerprint}"
        assert lines[3].startswith("transcript: ")
        assert lines[4] == "confidential: holds passwords and badge codes"

    def test_in_chinese(self, run: Run, folder: Path) -> None:
        code, out, _err = run("verify", folder / "门禁.zip", lang="zh")
        assert code == 0
        assert "门禁.zip" in out.splitlines()[0]
        assert KEY.fingerprint in out

    def test_changed(self, run: Run, folder: Path) -> None:
        code, out, _err = run("verify", broken(folder))
        assert code == 1
        assert out.splitlines()[0].endswith("broken.zip: NOT INTACT")
        assert out.splitlines()[1].startswith("  - report.html was changed")

    def test_trusted_key(self, run: Run, folder: Path) -> None:
        trusted = run("verify", folder / "small.zip", "--trusted-key", KEY.fingerprint)
        assert trusted[0] == 0
        assert "intact, signed by the key you trust" in trusted[1]
        other = run("verify", folder / "small.zip", "--trusted-key", OTHER_KEY.fingerprint)
        assert other[0] == 1
        assert "intact, but NOT signed by the key you trust" in other[1]
        assert run("verify", folder / "small.zip", "--trusted-key", "nonsense")[0] == 2

    def test_json(self, run: Run, folder: Path) -> None:
        code, out, err = run("verify", folder / "门禁.zip", "--json", "--trusted-key", KEY.fingerprint)
        told = json.loads(out)
        assert code == 0
        assert (told["event"], told["intact"], told["faults"], told["signer_trusted"]) == ("verify", True, [], True)
        assert told["fingerprint"] == KEY.fingerprint
        assert told["run_exit_code"] == 1
        assert told["counts"]["FAIL"] >= 1
        assert "intact" in err
        code, out, _err = run("verify", broken(folder), "--json")
        told = json.loads(out)
        assert (code, told["intact"], len(told["faults"]), told["suite_version"]) == (1, False, 1, None)

    def test_missing(self, run: Run, folder: Path) -> None:
        code, out, err = run("verify", folder / "none.zip")
        assert (code, out) == (2, "")
        assert "no such file" in err
        assert "resume" not in err
        (folder / "none.zip.journal").write_bytes(b"")
        code, _out, err = run("verify", folder / "none.zip")
        assert code == 2
        assert f"its run was not sealed: go on with it by: conformance resume {folder / 'none.zip'}" in err

    @pytest.mark.parametrize("content", [b"", b"PK", b"\0" * 1000, b"{}"])
    def test_other_files(self, run: Run, folder: Path, content: bytes) -> None:
        (folder / "other").write_bytes(content)
        assert run("verify", folder / "other")[0] == 1

    def test_signed_at_no_time(self, run: Run, folder: Path) -> None:
        (folder / "a.zip").write_bytes(resealed(small_bundle(), {}, created=1e300))
        code, out, _err = run("verify", folder / "a.zip")
        assert code == 0
        assert "1e+300" in out


class TestRejudge:
    def test_nothing_changed(self, run: Run, folder: Path) -> None:
        code, out, _err = run("rejudge", folder / "门禁.zip")
        assert code == 1  # the device failed, as it did in the run
        assert out.startswith("No verdict changed: sealed by version ")
        assert "Not judged" in out.splitlines()[-1]
        assert "other words" not in out

    def test_in_another_language_than_it_was_sealed_in(self, run: Run, folder: Path) -> None:
        code, out, _err = run("rejudge", folder / "门禁.zip", lang="zh")
        assert code == 1
        assert len(out.splitlines()) == 3  # neither changed nor founded otherwise
        assert "->" not in out

    def test_prints_what_changed(self, run: Run, folder: Path) -> None:
        verdicts = load(unpack(small_bundle())["verdicts.json"])
        case = verdicts["cases"][0]
        before, case["verdict"] = case["verdict"], "FAIL"
        counts = {name: int(name == "FAIL") for name in verdicts["end"]["counts"]}
        verdicts["end"]["counts"] = counts
        (folder / "a.zip").write_bytes(resealed(small_bundle(), {"verdicts.json": dump(verdicts)}, counts=counts))
        _code, out, _err = run("rejudge", folder / "a.zip")
        lines = out.splitlines()
        assert lines[0].startswith("1 verdict changed: ")
        assert lines[1] == f"  {case['id']}  FAIL -> {before}"
        _code, out, _err = run("rejudge", folder / "a.zip", "--json")
        events = [json.loads(line) for line in out.splitlines()]
        assert events[0]["changes"] == [{"id": case["id"], "before": "FAIL", "after": before}]
        assert [event["event"] for event in events] == ["rejudge", "run-start", "case", "run-end"]

    def test_writes_reports(self, run: Run, folder: Path) -> None:
        html, junit = folder / "报告.html", folder / "junit.xml"
        code, _out, err = run("rejudge", folder / "门禁.zip", "--html", html, "--junit", junit)
        assert code == 1
        assert KEY.fingerprint in html.read_text("utf-8") or html.stat().st_size > 10_000
        assert "<testsuite" in junit.read_text("utf-8")
        assert "报告.html" in err

    def test_of_broken_evidence_judges_nothing(self, run: Run, folder: Path) -> None:
        code, out, err = run("rejudge", broken(folder), "--html", folder / "a.html")
        assert (code, out) == (1, "")
        assert "is not intact: report.html was changed" in err
        assert not (folder / "a.html").exists()

    def test_selection_of_cases_that_are_no_more(self, run: Run, folder: Path) -> None:
        plan = {**load(unpack(small_bundle())["plan.json"]), "select": ["access/gone"]}
        transcript = unpack(small_bundle())["transcript.jsonl"].splitlines(keepends=True)
        rebuilt = small_transcript(small_profile(), demo_run()[1])
        bare = [entry for entry in rebuilt if entry.kind != "run"]
        assert len(bare) == len(transcript) - 1
        made = type(rebuilt)(epoch=0.0, clock="virtual")
        for entry in bare:
            made.add(entry.kind, entry.t_mono, data=entry.data, link=entry.link, direction=entry.direction)
        verdicts = load(unpack(small_bundle())["verdicts.json"])
        verdicts["end"]["transcript_sha256"] = made.digest
        changes: dict[str, bytes | None] = {
            "plan.json": dump(plan), "transcript.jsonl": made.to_lines(), "verdicts.json": dump(verdicts),
        }  # fmt: skip
        data = resealed(small_bundle(), changes, transcript=made.digest, entries=len(made))
        (folder / "a.zip").write_bytes(data)
        code, _out, err = run("rejudge", folder / "a.zip")
        assert code == 1
        assert "'access/gone'" in err
        assert "judge it with version 1.2.3" in err


class TestShow:
    def test_report(self, run: Run, folder: Path) -> None:
        code, out, err = run("show", folder / "门禁.zip")
        assert code == 0
        assert out.startswith("Conformance test report")
        assert "intact, signer not checked" in err

    def test_frames(self, run: Run, folder: Path) -> None:
        code, out, _err = run("show", folder / "门禁.zip", "--frames")
        assert code == 0
        assert len(out.splitlines()) > 100
        assert "PW=***" in out
        assert "PW=1" not in out
        assert {line.split()[3] for line in out.splitlines()} == {"<-", "->"}

    def test_broken(self, run: Run, folder: Path) -> None:
        code, out, err = run("show", broken(folder))
        assert (code, out) == (1, "")
        assert "is not intact" in err

    def test_says_that_verdicts_are_others(self, run: Run, folder: Path) -> None:
        verdicts = load(unpack(small_bundle())["verdicts.json"])
        verdicts["cases"][0]["verdict"] = "ERROR"
        counts = {name: int(name == "ERROR") for name in verdicts["end"]["counts"]}
        verdicts["end"]["counts"] = counts
        (folder / "a.zip").write_bytes(resealed(small_bundle(), {"verdicts.json": dump(verdicts)}, counts=counts))
        code, _out, err = run("show", folder / "a.zip")
        assert code == 0
        assert "1 verdict is another one than was sealed; see: conformance rejudge" in err

    @pytest.mark.parametrize("torn", [b"", b'{"seq":'])
    def test_journal(self, run: Run, folder: Path, torn: bytes) -> None:
        profile, plan = demo_run()
        lines = with_run(recording(), plan, profile).to_lines().splitlines(keepends=True)[:100]
        (folder / "a.zip.journal").write_bytes(b"".join(lines) + torn)
        code, out, err = run("show", folder / "a.zip.journal")
        assert code == 0
        assert out.startswith("UNSEALED: this run did not end, or goes on.")
        assert ("(7 bytes)" in out) == bool(torn)
        assert "Conformance test report" in out
        assert "intact" not in err
        assert "->" in run("show", folder / "a.zip.journal", "--frames")[1]

    def test_journal_of_nothing(self, run: Run, folder: Path) -> None:
        (folder / "a.zip.journal").write_bytes(b"")
        assert run("show", folder / "a.zip.journal")[0] == 1
        (folder / "a.zip.journal").write_bytes(b"{}\n")
        assert run("show", folder / "a.zip.journal")[0] == 1


class TestExport:
    def test_makes_a_copy_that_verifies(self, run: Run, folder: Path) -> None:
        copy = folder / "脱敏.zip"
        code, _out, err = run("export", "--redacted", folder / "门禁.zip", "-o", copy)
        assert code == 0
        assert "脱敏.zip" in err
        code, out, _err = run("verify", copy, "--original", folder / "门禁.zip")
        assert code == 0
        assert "a redacted copy, without passwords" in out
        assert out.splitlines()[-1] == "every line belongs to its entry of the original"
        told = json.loads(run("verify", copy, "--json")[1])
        assert told["redacted_from"] is not None
        assert told["contains_secrets"] is False

    def test_link_to_another_bundle(self, run: Run, folder: Path) -> None:
        copy = folder / "copy.zip"
        assert run("export", "--redacted", folder / "门禁.zip", "-o", copy)[0] == 0
        code, out, _err = run("verify", copy, "--original", folder / "small.zip")
        assert code == 1
        assert "the copy was not made from this bundle" in out
        assert run("verify", copy, "--original", broken(folder))[0] == 1
        assert run("verify", folder / "small.zip", "--original", folder / "门禁.zip")[0] == 2

    def test_rejudge_refuses_it(self, run: Run, folder: Path) -> None:
        copy = folder / "copy.zip"
        assert run("export", "--redacted", folder / "门禁.zip", "-o", copy)[0] == 0
        code, _out, err = run("rejudge", copy)
        assert code == 2
        assert "the bytes that verdicts rest on are not in it" in err
        assert run("export", "--redacted", copy, "-o", folder / "again.zip")[0] == 2

    def test_show(self, run: Run, folder: Path) -> None:
        copy = folder / "copy.zip"
        assert run("export", "--redacted", folder / "门禁.zip", "-o", copy)[0] == 0
        code, out, _err = run("show", copy)
        assert code == 0
        assert "FAIL " in out
        assert "access/framing/crc" in out
        assert "PW=***" in run("show", copy, "--frames")[1]
        assert run("show", copy, lang="zh")[0] == 0

    def test_key_of_ones_own(self, run: Run, folder: Path) -> None:
        private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        (folder / "key.pem").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "公钥.pem").write_bytes(public)
        copy = folder / "copy.zip"
        made = run("export", "--redacted", folder / "门禁.zip", "-o", copy, "--sign-key", folder / "key.pem")
        assert made[0] == 0
        assert run("verify", copy, "--trusted-key", folder / "公钥.pem")[0] == 0

    def test_never_over_its_original(self, run: Run, folder: Path) -> None:
        before = (folder / "门禁.zip").read_bytes()
        code, _out, err = run(
            "export", "--redacted", folder / "门禁.zip", "-o", folder / ".." / folder.name / "门禁.zip"
        )
        assert code == 2
        assert "is the original itself" in err
        assert (folder / "门禁.zip").read_bytes() == before

    def test_wrong_use(self, run: Run, folder: Path) -> None:
        assert run("export", folder / "门禁.zip", "-o", folder / "x")[0] == 2
        assert run("export", "--redacted", folder / "门禁.zip")[0] == 2
        assert run("export", "--redacted", folder / "门禁.zip", "-o", folder / "no" / "such" / "x")[0] == 4


class TestHelp:
    @pytest.mark.parametrize("lang", ["en", "zh"])
    @pytest.mark.parametrize("command", ["verify", "rejudge", "show", "export"])
    def test_starts_with_examples_and_fits_a_screen(self, run: Run, command: str, lang: str) -> None:
        code, out, _err = run(command, "--help", lang=lang)
        assert code == 0
        lines = out.splitlines()
        assert len(lines) <= 30
        assert lines[1].strip().startswith(f"conformance {command}")


@pytest.mark.loopback
def test_demo_seals_what_verifies(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = tmp_path / "演示.zip"
    assert run("demo", "--bundle", bundle)[0] == 0
    code, out, _err = run("verify", bundle)
    assert code == 0
    assert "intact" in out
    assert (tmp_path / "home").is_dir()
    code, out, _err = run("rejudge", bundle)
    assert code == 0
    assert out.startswith("No verdict changed")
    if sys.platform != "win32":
        assert bundle.stat().st_mode & 0o077 == 0
