"""Acts of the operator: their words, attempts and pauses, the console, and a relay rig in the operator's place."""

from __future__ import annotations

import asyncio
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

from conformance.acts import act_text, acts, answers
from conformance.demo import SimulatedOperator
from conformance.evidence import ACT_STATES, Evidence
from conformance.judge import judge
from conformance.live.acting import MAX_ATTEMPTS
from conformance.live.bench import Bench
from conformance.live.operator import (
    ANSWERS,
    AbsentOperator,
    Act,
    CommandOperator,
    ConsoleOperator,
    Operator,
    OperatorFailedError,
    make_operator,
)
from conformance.live.operator import rig as rig_module
from conformance.live.operator.lines import MAX_LINE_BYTES
from conformance.live.operator.rig import MAX_SHOWN_CHARS, MAX_SHOWN_LINES
from conformance.live.run import run_live
from conformance.plan import make_plan
from conformance.profile import METHODS, Profile, load
from conformance.transcript import Transcript
from conformance.verdicts import Verdict, say
from simulator.station import Station
from stationgate import language
from stationgate.exits import UsageFault

from .devices import Inert, Site, visit

FACE = Act("open", "face", "A")
RIG_DOOR = Path(__file__).with_name("rig_door.py")


# The words


class TestWords:
    def test_every_act_that_a_step_asks_for_has_words(self) -> None:
        wanted = {f"open/{method}" for method in (*METHODS, "exit-button")}
        wanted |= {"close", "lift", "put-back", "unplug", "plug-in", "power-cycle"}
        assert set(acts()) == wanted

    @pytest.mark.parametrize("id", acts())
    def test_both_languages_say_the_same_with_the_same_blanks(self, id: str) -> None:
        text = acts()[id]
        pairs = [(text.zh, text.en), (text.expect_zh, text.expect_en), (text.undo_zh, text.undo_en)]
        assert all(text.en and text.zh and text.expect_zh and text.expect_en for text in [text])
        for zh, en in pairs:
            assert bool(zh) == bool(en)
            assert blanks(zh) == blanks(en)
        assert blanks(text.zh) == ({"person"} if text.act == "open" and text.id != "open/exit-button" else set())

    @pytest.mark.parametrize("id", acts())
    def test_every_word_can_be_shown_on_a_chinese_windows_console(self, id: str) -> None:
        text = acts()[id]
        for word in (text.zh, text.expect_zh, text.undo_zh, text.en, text.expect_en, text.undo_en):
            assert word.encode("gbk").decode("gbk") == word
        for answer in answers().values():
            answer.zh.encode("gbk")

    @pytest.mark.parametrize("id", acts())
    def test_expectation_names_the_sign_that_judgements_look_for(self, id: str) -> None:
        text = acts()[id]
        if text.code:
            assert f"{text.code}={text.value}" in text.expect_zh
            assert f"{text.code}={text.value}" in text.expect_en
            assert ACT_STATES[text.act] == (text.code, text.value)
        else:
            assert text.act not in ACT_STATES

    def test_answers_are_told_apart_by_their_keys(self) -> None:
        assert tuple(answers()) == ANSWERS
        assert len({answer.key for answer in answers().values()}) == len(ANSWERS)
        for text in acts().values():
            assert set(text.answers) <= set(ANSWERS)
            assert {"done", "erred", "cannot"} <= set(text.answers)

    @pytest.mark.parametrize(
        ("lang", "said"), [("en", "Person B: open the door by FACE."), ("zh", "请人员 B 用人脸开门。")]
    )
    def test_prompt_speaks_the_language_of_the_run(self, lang: language.Language, said: str) -> None:
        act = Act("open", "face", "B")
        with language.speaking(lang):
            assert str(act.prompt) == said
            assert str(act.expect) == language.pick(
                act_text("open", "face").expect_zh, act_text("open", "face").expect_en
            )

    def test_what_is_to_be_put_back_is_said_from_the_second_attempt_on(self) -> None:
        assert FACE.undo is None
        assert str(replace(FACE, attempt=2).undo) == "close the door first."
        assert Act("power-cycle", attempt=2).undo is None


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


# Attempts and pauses, on virtual time


class Erring(SimulatedOperator):
    """Takes the wrong card first when asked for a finger, sees it, closes the door and says so."""

    async def perform(self, act: Act) -> str:
        if act.method != "fingerprint" or act.step != "openings" or act.attempt > 1:
            return await super().perform(act)
        await super().perform(replace(act, method="ic-card", person="B"))
        await self.put_back()
        return "erred"

    async def put_back(self) -> None:
        await super().perform(Act("close"))


class ErringInHaste(Erring):
    """Says so with the door still open, and closes it when told to."""

    async def put_back(self) -> None:
        return None


class Clumsy(SimulatedOperator):
    """Never gets a finger read."""

    async def perform(self, act: Act) -> str:
        return "erred" if act.method == "fingerprint" else await super().perform(act)


AWAY_S = 4000.0


class AtLunch(SimulatedOperator):
    """Goes away for more than an hour when asked for a finger, presses Enter on coming back, and does it then."""

    async def perform(self, act: Act) -> str:
        if act.method == "fingerprint" and act.step == "openings" and act.attempt == 1:
            await asyncio.sleep(AWAY_S)
            return "done"
        return await super().perform(act)


class Gone(SimulatedOperator):
    """Goes home when asked for a finger."""

    async def perform(self, act: Act) -> str:
        if act.method == "fingerprint":
            await asyncio.sleep(1e7)
        return await super().perform(act)


class GoneInOutage(SimulatedOperator):
    """Goes home while the link is cut."""

    async def perform(self, act: Act) -> str:
        if act.step == "outage":
            await asyncio.sleep(1e7)
        return await super().perform(act)


class FailingRig(SimulatedOperator):
    """Breaks when it is told to lift the reader."""

    patient = False

    async def perform(self, act: Act) -> str:
        if self.failure or act.act == "lift":
            self.failure = say("it ended with exit code {code}", code=7)
            raise OperatorFailedError(self.failure)
        return await super().perform(act)


def attempts_at(evidence: Evidence, method: str, step: str = "openings") -> list[tuple[int, str]]:
    return [(a.attempt, a.answer) for a in evidence.attempts if a.method == method and a.step == step]


def verdicts_at(transcript: Transcript, profile: Profile, plan: object) -> dict[str, Verdict]:
    return {result.case: result.verdict for result in judge(transcript, profile, plan)}  # type: ignore[arg-type]


@pytest.mark.parametrize("operator", [Erring, ErringInHaste])
def test_erred_attempt_is_kept_and_the_repeated_one_is_judged(operator: type[SimulatedOperator]) -> None:
    transcript, profile, plan = visit(Site(operator=operator))
    evidence = Evidence(transcript, profile)
    assert attempts_at(evidence, "fingerprint") == [(1, "erred"), (2, "done")]
    assert [(a.attempt, a.answer) for a in evidence.acts if a.method == "fingerprint" and a.step == "openings"] == [
        (2, "done")
    ]
    assert set(verdicts_at(transcript, profile, plan).values()) <= {Verdict.PASS, Verdict.NOT_APPLICABLE}
    assert [heard.codes["i32004"] for heard in evidence.outside_openings] == ["2"]


def test_act_that_never_succeeds_leaves_its_step_for_another_day() -> None:
    transcript, profile, plan = visit(Site(operator=Clumsy))
    evidence = Evidence(transcript, profile)
    assert attempts_at(evidence, "fingerprint") == [(n, "erred") for n in range(1, MAX_ATTEMPTS + 1)]
    assert evidence.steps["openings"].result == "pending"
    assert evidence.steps["defect"].result == "done"
    assert verdicts_at(transcript, profile, plan)["access/opening/method-matches-act"] is Verdict.PENDING


def test_pause_fails_nothing_and_the_act_is_asked_for_anew() -> None:
    transcript, profile, plan = visit(Site(operator=AtLunch))
    evidence = Evidence(transcript, profile)
    paused, again = [a for a in evidence.attempts if a.method == "fingerprint" and a.step == "openings"]
    assert (paused.answer, again.attempt, again.answer) == ("paused", 2, "done")
    assert paused.end - paused.begin == profile.limits.operator_s
    assert again.begin - paused.begin == AWAY_S
    assert again.end - again.begin < 10.0
    acknowledged = [
        e for e in transcript if e.direction == "out" and paused.end < e.t_mono < again.begin and b"CN=9014" in e.data
    ]
    assert len(acknowledged) == 4, "the reports of an hour"
    assert set(verdicts_at(transcript, profile, plan).values()) <= {Verdict.PASS, Verdict.NOT_APPLICABLE}


def test_operator_who_does_not_come_back_leaves_what_needs_one_pending() -> None:
    transcript, profile, _plan = visit(Site(operator=Gone))
    evidence = Evidence(transcript, profile)
    openings = evidence.steps["openings"]
    assert (openings.result, openings.detail) == ("pending", {"reason": "operator away"})
    assert openings.end is not None
    waited = profile.limits.operator_s + profile.limits.pause_s
    assert openings.end == pytest.approx(next(a for a in evidence.attempts if a.answer == "paused").begin + waited)
    for step in ("exit-button", "dismantle", "defect", "outage", "reboot"):
        record = evidence.steps[step]
        assert (record.result, record.end) == ("pending", record.begin), step
    assert evidence.steps["observe"].result == "done"


def test_link_is_not_left_cut_for_an_operator_who_went_away() -> None:
    transcript, profile, plan = visit(Site(operator=GoneInOutage))
    outage = Evidence(transcript, profile).steps["outage"]
    assert outage.result == "pending"
    assert outage.detail["restored"] - outage.begin < profile.limits.outage_s + profile.limits.operator_s
    assert verdicts_at(transcript, profile, plan)["access/outage/records-kept"] is Verdict.PENDING


def test_broken_rig_leaves_its_acts_pending_and_the_record_says_why() -> None:
    transcript, profile, plan = visit(Site(operator=FailingRig))
    evidence = Evidence(transcript, profile)
    dismantle, defect = evidence.steps["dismantle"], evidence.steps["defect"]
    failed = {"reason": "rig failed", "why": "it ended with exit code 7"}
    assert (dismantle.result, dismantle.detail) == ("pending", failed)
    assert (defect.result, defect.detail) == ("pending", failed)
    (lift,) = [e for e in transcript if e.kind == "act" and e.attachment.get("why")]
    assert lift.attachment["answer"] == "pending"
    assert verdicts_at(transcript, profile, plan)["access/opening/method-matches-act"] is Verdict.PASS


class Stops(Inert):
    """The record is full while the operator has not answered."""

    async def run(self, station: Station, bench: Bench) -> None:
        while not any(e.kind == "act" and e.attachment.get("method") == "fingerprint" for e in bench.transcript):
            await asyncio.sleep(5.0)
        bench.stop("transcript full")


def test_end_of_the_run_does_not_wait_for_the_operator() -> None:
    transcript, profile, _plan = visit(Site(operator=Gone, beside=Stops))
    evidence = Evidence(transcript, profile)
    assert evidence.steps["openings"].result == "aborted"
    assert transcript[-1].t_mono - evidence.steps["openings"].begin < profile.limits.operator_s


class Mistaken(SimulatedOperator):
    """Uses the wrong finger at every method, notices nothing."""

    async def perform(self, act: Act) -> str:
        return await super().perform(replace(act, method="ic-card") if act.method == "face" else act)


def test_wrong_method_that_nobody_noticed_is_still_a_finding() -> None:
    transcript, profile, plan = visit(Site(operator=Mistaken))
    assert verdicts_at(transcript, profile, plan)["access/opening/method-matches-act"] is Verdict.FAIL


# The console


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        with suppress(OSError):
            os.close(writing)
        for thread in [t for t in threading.enumerate() if t.name == "operator"]:
            thread.join(5.0)
        os.close(reading)


class Desk:
    """A console operator with the person who types."""

    def __init__(self, reading: int, writing: int, read_shown: Callable[[], str]) -> None:
        self.operator = ConsoleOperator(reading)
        self.shown = ""
        self._writing = writing
        self._read_shown = read_shown
        self._seen = 0

    def type(self, text: str) -> None:
        os.write(self._writing, text.encode())

    async def until(self, text: str) -> None:
        """Wait until something more is shown."""
        async with asyncio.timeout(10.0):
            while text not in self.shown[self._seen :]:
                await asyncio.sleep(0.005)
                self.shown += self._read_shown()
        self._seen = self.shown.index(text, self._seen) + len(text)

    def ask(self, act: Act) -> asyncio.Task[str]:
        return asyncio.create_task(self.operator.perform(act))


def talk(capsys: pytest.CaptureFixture[str], conversation: Callable[[Desk], Coroutine[Any, Any, None]]) -> str:
    """Hold a conversation over a pipe; return everything that was shown."""
    with pipe() as (reading, writing):
        desk = Desk(reading, writing, lambda: capsys.readouterr().err)
        asyncio.run(conversation(desk))
    return desk.shown + capsys.readouterr().err


KEYS = {
    "en": "[Enter] done   [r] I erred, repeat   [s] cannot now   [n] not fitted",
    "zh": "[回车] 已完成   [r] 操作有误，重做   [s] 现在做不了   [n] 设备不具备",
}


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_console_shows_act_expectation_and_keys(lang: language.Language, capsys: pytest.CaptureFixture[str]) -> None:
    async def conversation(desk: Desk) -> None:
        asking = desk.ask(FACE)
        await desk.until(KEYS[lang])
        desk.type("\n")
        assert await asking == "done"

    with language.speaking(lang):
        shown = talk(capsys, conversation)
        assert f">>> {FACE.prompt}\n" in shown
        assert f": {FACE.expect}\n    {KEYS[lang]}\n" in shown


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("\n", "done"),
        ("r\n", "erred"),
        ("S\r\n", "cannot"),
        (" n \n", "not-fitted"),
        ("ｓ\n", "cannot"),
        ("\x1a\r\n", "pending"),
    ],
)
def test_console_takes_a_key_for_an_answer(typed: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def conversation(desk: Desk) -> None:
        asking = desk.ask(FACE)
        await desk.until(KEYS["en"])
        desk.type(typed)
        assert await asking == answer

    talk(capsys, conversation)


def test_console_drops_what_was_typed_while_nothing_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    remark = "ignored: nothing is being asked at the moment"

    async def conversation(desk: Desk) -> None:
        desk.type("\n\ns\n")
        await desk.until(remark)
        for key, answer in (("n", "not-fitted"), ("r", "erred")):
            asking = desk.ask(FACE)
            await desk.until(KEYS["en"])
            assert not asking.done()
            desk.type(key + "\n\n")
            assert await asking == answer
            await desk.until(remark)

    assert talk(capsys, conversation).count(remark) == 3


def test_console_has_one_thread_however_often_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    async def conversation(desk: Desk) -> None:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await desk.operator.perform(FACE)
        assert len([t for t in threading.enumerate() if t.name == "operator"]) == 1
        asking = desk.ask(FACE)
        await asyncio.sleep(0)
        desk.type("\n")
        assert await asking == "done", "no abandoned question takes the answer away"

    talk(capsys, conversation)


def test_console_asks_again_for_a_key_that_the_act_has_not(capsys: pytest.CaptureFixture[str]) -> None:
    async def conversation(desk: Desk) -> None:
        asking = desk.ask(Act("close", attempt=2))
        await desk.until("once more (attempt 2): open the door again first.")
        desk.type("n\n")
        await desk.until("not one of the keys: [Enter] done   [r] I erred, repeat   [s] cannot now\n")
        desk.type("\n")
        assert await asking == "done"

    talk(capsys, conversation)


def test_end_of_input_leaves_everything_pending() -> None:
    with pipe() as (reading, writing):
        operator = ConsoleOperator(reading)

        async def main() -> list[str]:
            first = asyncio.create_task(operator.perform(FACE))
            await asyncio.sleep(0.02)
            os.close(writing)
            return [await first, await operator.perform(FACE)]

        assert asyncio.run(asyncio.wait_for(main(), 10.0)) == ["pending", "pending"]


@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_console_that_knows_only_gbk(lang: language.Language, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="cp936", errors="strict", write_through=True))
    shown = ""

    def read_shown() -> str:
        nonlocal shown
        before, shown = shown, raw.getvalue().decode("cp936").replace("\r\n", "\n")
        return shown[len(before) :]

    async def main() -> None:
        for text in acts().values():
            asking = desk.ask(Act(*text.id.split("/"), person="A", attempt=2))
            keys = "   ".join(answers()[id].shown for id in text.answers)
            await desk.until(language.pick(text.expect_zh, text.expect_en))
            await desk.until(keys)
            desk.type("?\n")
            await desk.until(keys)
            desk.type("\n")
            assert await asking == "done"

    with pipe() as (reading, writing), language.speaking(lang):
        desk = Desk(reading, writing, read_shown)
        asyncio.run(main())


CTRL_C = """
import asyncio, sys
from conformance.live.operator import Act, ConsoleOperator
from conformance.live.operator import make_operator

with make_operator() as operator:
    assert isinstance(operator, ConsoleOperator)
    try:
        with asyncio.Runner() as runner:
            runner.run(operator.perform(Act("close")))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_ctrl_c_at_the_prompt_ends_the_process_at_once() -> None:
    import pty

    near, far = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", CTRL_C],
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
        preexec_fn=_take_terminal,
        cwd=RIG_DOOR.parents[2],
        env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(RIG_DOOR.parents[2])},
    )
    os.close(far)
    try:
        shown = b""
        while b"[Enter] done" not in shown:
            shown += os.read(near, 4096)
        os.write(near, b"\x03")
        assert process.wait(10.0) == 130
        with suppress(OSError):
            while data := os.read(near, 4096):
                shown += data
        assert b"Fatal" not in shown
        assert b"Traceback" not in shown
    finally:
        process.kill()
        process.wait()
        os.close(near)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_nobody_acts_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert isinstance(make_operator(), AbsentOperator)
    assert isinstance(make_operator(interactive=False), AbsentOperator)
    monkeypatch.setattr(sys, "stdin", None)
    assert isinstance(make_operator(), AbsentOperator)


# A relay rig


def rig_of(folder: Path, body: str) -> str:
    """Write a rig; return its command line. ``body`` handles ``asked`` and prints."""
    script = folder / "relay rig.py"
    script.write_text(
        "import json, os, sys, time\n"
        "def tell(**told): print(json.dumps(told), flush=True)\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n" + "".join(f"    {row}\n" for row in body.splitlines()),
        "utf-8",
    )
    return subprocess.list2cmdline([sys.executable, str(script)]) if sys.platform == "win32" else _quoted(script)


def _quoted(script: Path) -> str:
    return f"'{sys.executable}' '{script}'"


def ask(command: str, *asked: Act) -> list[str]:
    """Have a rig do acts; return its answers, and what it failed with last."""

    async def main(operator: Operator) -> list[str]:
        found = []
        for act in asked:
            try:
                found.append(await operator.perform(act))
            except OperatorFailedError as error:
                found.append(f"failed: {error}")
        return found

    with make_operator(command) as operator:
        assert isinstance(operator, CommandOperator)
        assert operator.attended
        assert not operator.patient
        return asyncio.run(main(operator))


CLOSE = Act("close", step="openings", deadline_s=20.0)


def test_rig_is_told_everything_and_answers(tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    command = rig_of(
        tmp_path,
        f"open({str(told)!r}, 'a').write(line)\n"
        "answers = {'close': 'done', 'lift': 'cannot', 'unplug': 'not-fitted', 'open': 'erred'}\n"
        "tell(id=asked['id'], answer=answers[asked['act']])",
    )
    face = Act("open", "face", "A", "openings", 2, 20.0)
    with language.speaking("zh"):
        answered = ask(command, CLOSE, replace(CLOSE, act="lift"), replace(CLOSE, act="unplug"), face)
    assert answered == ["done", "cannot", "not-fitted", "erred"]
    lines = [json.loads(line) for line in told.read_text("ascii").splitlines()]
    assert [line["id"] for line in lines] == [1, 2, 3, 4]
    assert lines[0].keys() == {"event", "id", "act", "step", "attempt", "prompt", "expect", "deadline_s"}
    assert lines[3] == {
        "event": "act",
        "id": 4,
        "act": "open",
        "method": "face",
        "person": "A",
        "step": "openings",
        "attempt": 2,
        "prompt": "请人员 A 用人脸开门。",
        "expect": act_text("open", "face").expect_zh,
        "undo": "请先关好门。",
        "deadline_s": 20.0,
    }


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("print('relay closed', flush=True)", "no JSON object: relay closed"),
        ("print('[1, 2]', flush=True)", "no JSON object: [1, 2]"),
        ("print('\\x1b[2J' + '{' * 50000, flush=True)", "no JSON object: \\x1b[2J{{{{"),
        ("tell(id=asked['id'], answer='yes')", "answer yes, expected one of: done, erred, cannot, not-fitted"),
        ("tell(id=asked['id'])", "answer null, expected one of: done, erred, cannot, not-fitted"),
        ("tell(id=asked['id'], answer='not-fitted')", "not-fitted is no answer to this act, expected one of: done,"),
        ("tell(id=asked['id'] + 1, answer='done')", "answer to act 2, which is not being asked"),
        ("tell(answer='done')", "answer to act null, which is not being asked"),
        ("tell(id=asked['id'], answer='done', note=3)", "a note that is no text: 3"),
        (f"print('x' * {MAX_LINE_BYTES + 5}, flush=True)", f"a line longer than {MAX_LINE_BYTES} bytes"),
        ("sys.exit(7)", "it ended with exit code 7"),
        ("os.close(1); time.sleep(60)", "it closed its output"),
        ("time.sleep(60)", "no answer within 0.5 s"),
    ],
)
def test_rig_that_does_wrong_is_named_and_asked_no_more(
    body: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig_module, "END_S", 0.2)
    began = time.monotonic()
    deadline = 0.5 if "within" in why else 20.0
    first, second = ask(rig_of(tmp_path, body), replace(CLOSE, deadline_s=deadline), CLOSE)
    assert first.startswith(f"failed: {why}")
    assert len(first) < 300
    assert second == first
    assert time.monotonic() - began < 12.0


def test_rig_that_answers_twice_fails_at_the_next_act(tmp_path: Path) -> None:
    answers = ask(rig_of(tmp_path, "for _ in 1, 2: tell(id=asked['id'], answer='done')"), CLOSE, CLOSE)
    assert answers[0] == "done"
    assert answers[1] == "failed: answer to act 1, which is not being asked"


def test_rig_that_cannot_even_start(tmp_path: Path) -> None:
    for command, said in [
        (str(tmp_path / "no-such-rig"), "the relay rig cannot be started"),
        ("", "--operator names no program"),
        ("   ", "--operator names no program"),
        *([("'unclosed", "No closing quotation")] if sys.platform != "win32" else []),
    ]:
        with pytest.raises(UsageFault, match=said) as raised:
            make_operator(command)
        assert "quotes around paths" in raised.value.hint


def test_messages_of_a_rig_are_passed_on_line_by_line_and_bounded(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    body = (
        "sys.stderr.write('relay 3: \\u5438\\u5408\\x1b[31m\\n' + 'y' * 5000 + '\\n' + 'z\\n' * 3000)\n"
        "sys.stderr.flush()\n"
        "tell(id=asked['id'], answer='done')"
    )
    command = rig_of(tmp_path, "sys.stderr.reconfigure(encoding='utf-8')\n" + body)
    assert ask(command, CLOSE) == ["done"]
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "[rig] relay 3: 吸合\\x1b[31m"
    assert lines[1] == "[rig] " + "y" * MAX_SHOWN_CHARS
    assert len(lines) == MAX_SHOWN_LINES + 1
    assert lines[-1] == "[rig] no more of its messages are shown"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_rig_that_will_not_end_is_killed_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig_module, "END_S", 0.2)
    pids = tmp_path / "pids"
    body = (
        "import signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "tell(id=asked['id'], answer='done')\n"
        "time.sleep(60)"
    )
    assert ask(rig_of(tmp_path, body), CLOSE) == ["done"]
    for pid in map(int, pids.read_text().split()):
        assert _gone(pid), pid


def _gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with suppress(OSError):  # killed, and not yet waited for by whoever inherited it
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.01)
    return False


PROFILE = """
extends = "nx-door"
[device]
mn = "64010000ACCE550000000001"
pw = "123456"
[declare]
methods = ["face", "ic-card"]
[limits]
connect_s = 15
operator_s = 5
settle_s = 0.1
event_s = 2
event_target_s = 1
response_s = 1
"""
CASES = ("access/opening/method-matches-act", "access/opening/person-code-stable", "access/alarm/fault")


def run_with_rig(folder: Path, rig: str, port: int) -> tuple[Transcript, dict[str, Verdict], list[str]]:
    file = folder / "door.toml"
    file.write_text(PROFILE, "utf-8")
    profile = load(str(file))
    plan = make_plan(profile, CASES)
    told: list[str] = []
    with make_operator(rig) as operator:
        live = run_live(
            plan, profile, operator, "127.0.0.1", port, wall_clock=time.time,
            on_progress=lambda what, until: told.append(str(what)),
        )  # fmt: skip
    assert live.failure is None
    return live.transcript, {r.case: r.verdict for r in judge(live.transcript, profile, plan)}, told


@pytest.mark.loopback
def test_run_whose_acts_a_rig_does(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    rig = rig_command(f"--port {port}")
    transcript, verdicts, _told = run_with_rig(tmp_path, rig, port)
    assert {verdicts[case] for case in CASES} == {Verdict.PASS}
    ends = [e.attachment for e in transcript if e.kind == "act" and e.attachment["phase"] == "end"]
    assert [(end["answer"], end["note"]) for end in ends] == [("done", "relay 1")] * 8
    assert "[rig] relay unplug\n" in capfd.readouterr().err


@pytest.mark.loopback
def test_run_whose_rig_breaks_says_so_and_ends(tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen([sys.executable, str(RIG_DOOR), "--port", str(port)], stdin=subprocess.PIPE) as door:
        try:
            rig = rig_of(tmp_path, "tell(id=asked['id'], answer='done') if asked['id'] == 1 else sys.exit(3)")
            transcript, verdicts, told = run_with_rig(tmp_path, rig, port)
        finally:
            door.kill()
    assert {verdicts[case] for case in CASES} == {Verdict.PENDING}
    assert "the operator's rig failed: it ended with exit code 3; its acts stay pending" in told
    ends = {
        e.attachment["step"]: e.attachment for e in transcript if e.kind == "step" and e.attachment["phase"] == "end"
    }
    for step in ("openings", "defect"):
        assert ends[step]["result"] == "pending"
        assert ends[step]["why"] == "it ended with exit code 3"


def rig_command(options: str) -> str:
    words = [sys.executable, str(RIG_DOOR), *options.split()]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else " ".join(f"'{word}'" for word in words)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port
