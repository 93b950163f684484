"""The questions in their order, each answer tested on the device as far as it can be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hj212.codes import FlagBits
from hj212.editions import HJ_212_2017
from hj212.times import parse_time
from stationgate.exits import EnvironmentFault, Fault, UsageFault
from stationgate.language import _, current

from ..evidence import Heard
from ..live.network import Card, addresses_for, cards
from ..live.waiting import Sign, instructions, render_instructions, shown_field
from ..profile import METHODS, Profile, load, shipped
from .asking import Asker, Refused
from .ear import Ear
from .keys import KEYS
from .writing import BASES, render

__all__ = ["partial_of", "run_wizard"]

#: How often the device is waited for, or a port tried, before the questions go on without it.
MAX_ATTEMPTS: Final = 20
#: A device clock this far off is worth a word; the verdict on it has limits of its own.
CLOCK_WORD_S: Final = 5.0

#: What is asked for as plain text, in this order, before anything is listened to.
_TEXTS: Final = (
    ("sample", "client"), ("sample", "manufacturer"), ("sample", "model"), ("sample", "serial_number"),
    ("sample", "firmware_version"), ("test", "place"), ("test", "tester"), ("test", "reviewer"), ("test", "basis"),
)  # fmt: skip
#: What a device says that is no report: its sign, when the answers so far are held against what was heard.
_AGREES: Final = frozenset({Sign.RIGHT, Sign.NOTHING, Sign.CONNECTED, Sign.SILENT, Sign.LEFT, Sign.HEARTBEAT})

Given = dict[str, dict[str, Any]]


def partial_of(output: Path) -> Path:
    """Return the file that keeps the answers of an interrupted wizard."""
    return output.with_name(f"{output.stem}.partial.toml")


def run_wizard(kind: str, output: Path, host: str, port: int, *, wait_s: float) -> None:
    """Ask, listen, and write the profile.

    Args:
        kind: What the device is, a key of :data:`~.writing.BASES`.
        output: The file to write.
        host: The address offered to listen on.
        port: The port offered to listen on.
        wait_s: How long to wait for the device each time, in seconds.

    Raises:
        UsageFault: If the file exists and is to stay.
    """
    asker = Asker()
    if output.exists() and not asker.yes(
        _("{file} exists: write it anew?").format(file=output), _("What it holds is lost then."), default=False
    ):
        raise UsageFault(_("{file} exists").format(file=output), _("give another file: -o FILE"))
    wizard = _Wizard(asker, kind, _earlier(asker, partial_of(output)), wait_s)
    with _kept(wizard, partial_of(output), asker), Ear(shipped(BASES[kind])) as ear:
        wizard.run(ear, host, port)
    _write(output, render(kind, wizard.given))
    load(str(output))  # what was written can be read
    partial_of(output).unlink(missing_ok=True)
    asker.tell(_("profile: {file}").format(file=output.absolute()))
    asker.tell(_("next: conformance run {file}").format(file=output))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _earlier(asker: Asker, partial: Path) -> Given:
    """Return the answers of a wizard that was interrupted."""
    if not partial.is_file():
        return {}
    try:
        found = load(str(partial))
    except Fault:
        return {}
    asker.tell(_("the answers in {file} are offered again").format(file=partial))
    base = shipped(BASES["door"])
    return {
        section: {k: v for k, v in getattr(found, section).items() if v != getattr(base, section).get(k)}
        for section in ("sample", "test", "listen", "device", "declare")
    }


@contextmanager
def _kept(wizard: _Wizard, partial: Path, asker: Asker) -> Iterator[None]:
    """Keep what was answered when the wizard ends before it is through."""
    try:
        yield
    except BaseException:
        if any(wizard.given.values()):
            _write(partial, render(wizard.kind, wizard.given))
            asker.tell("\n" + _("what was answered is kept in {file}").format(file=partial.absolute()))
        raise


class _Wizard:
    def __init__(self, asker: Asker, kind: str, earlier: Given, wait_s: float) -> None:
        self.asker = asker
        self.kind = kind
        self.earlier = earlier
        self.wait_s = wait_s
        self.given: Given = {}
        self.base: Profile = shipped(BASES[kind])

    def run(self, ear: Ear, host: str, port: int) -> None:
        """Ask everything."""
        self.asker.tell(_("Enter skips a question, ? explains it, - takes an offered answer away."))
        self._set("test", "lang", current())
        for section, name in _TEXTS:
            self._text(section, name)
        self._listen(ear, host, port)
        self._await(ear)
        self._mn(ear)
        self._pw(ear)
        self._st(ear)
        self._values(ear)
        self._methods()
        for name in ("exit_button", "log"):
            self._yes(name)

    def _set(self, section: str, name: str, value: Any) -> None:
        if value is not None:
            self.given.setdefault(section, {})[name] = value

    def _offered(self, section: str, name: str) -> Any:
        return self.earlier.get(section, {}).get(name)

    def _text(self, section: str, name: str) -> None:
        key = KEYS[section, name]
        default = str(self._offered(section, name) or "")
        self._set(section, name, self.asker.ask(key.question, key.explanation, str, default=default))

    # Where to listen

    def _listen(self, ear: Ear, host: str, port: int) -> None:
        """Ask for card and port until both can be had; on the end of the answers go on without."""
        every = cards()
        for number, card in enumerate(every, 1):
            self.asker.tell(f"  {number}  {card}")
        host = self._offered("listen", "host") or host
        port = self._offered("listen", "port") or port
        for _attempt in range(MAX_ATTEMPTS):
            host = self._card(every, host)
            port = self._port(port)
            try:
                ear.listen(host, port)
                break
            except EnvironmentFault as fault:
                self.asker.tell(f"  {fault.message} {fault.hint}")
                if self.asker.ended:
                    return
        else:
            return
        self._set("listen", "host", host)
        self._set("listen", "port", ear.port)
        ear.declare({}, host, ear.port)
        self.asker.tell(_("listening on {host} port {port}").format(host=host, port=ear.port))

    def _card(self, every: list[Card], host: str) -> str:
        def read(answer: str) -> str:
            if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(every):
                return every[int(answer) - 1].address
            named = [card.address for card in every if answer in (card.name, card.address)]
            if named or answer == "0.0.0.0":
                return (named or [answer])[0]
            raise Refused(_("no card has this number, name or address; 0.0.0.0 is every card"))

        about = KEYS["listen", "host"].explanation
        return self.asker.ask(_("listen on (number, address, 0.0.0.0: every card)"), about, read, default=host) or host

    def _port(self, port: int) -> int:
        def read(answer: str) -> int:
            if answer.isascii() and answer.isdigit() and int(answer) <= 65535:
                return int(answer)
            raise Refused(_("a port is a number from 0 to 65535"))

        key = KEYS["listen", "port"]
        return self.asker.ask(key.question, key.explanation, read, default=str(port)) or port

    # The device

    def _await(self, ear: Ear) -> None:
        """Show what to type into the device, and wait for it."""
        if not ear.port:
            return
        host = self.given["listen"]["host"]
        rows = instructions(self.base, host, ear.port, addresses_for(host))
        self.asker.tell(render_instructions(rows, host).rstrip("\n"))
        for _attempt in range(MAX_ATTEMPTS):
            question = _("Enter waits {seconds} s for the device, s goes on without it").format(
                seconds=f"{self.wait_s:g}"
            )
            about = _("The device connects by itself once it has these values. Nothing is changed on it.")
            answer = self.asker.ask(question, about, _read_wait, default=_ENTER)
            if self.asker.ended or answer != _ENTER:
                return
            if ear.await_speaker(self.wait_s, lambda said: self.asker.tell(f"  {said}")):
                return
            self.asker.tell(_("  nothing has reported within {seconds} s").format(seconds=f"{self.wait_s:g}"))

    def _mn(self, ear: Ear) -> None:
        speakers = ear.speakers
        for seen, heard in speakers.items():
            self.asker.tell(_("MN={mn} reports: {content}").format(mn=shown_field(seen), content=_content(heard)))
        offered = str(self._offered("device", "mn") or next(iter(speakers), ""))
        question = _("MN: Enter takes the one seen") if offered in speakers else KEYS["device", "mn"].question
        mn = self.asker.ask(question, KEYS["device", "mn"].explanation, _read_mn, default=shown_field(offered))
        self._set("device", "mn", mn)
        if mn and not re.fullmatch(HJ_212_2017.mn_pattern, mn):
            self.asker.tell(_("  taken, but it is not of 24 characters 0-9 A-F"))
        self._compare(ear)

    def _pw(self, ear: Ear) -> None:
        key = KEYS["device", "pw"]
        question, before = key.question, str(self._offered("device", "pw") or "")
        if before:
            question = _("PW: Enter keeps the one typed before")
        for default in (before, ""):
            pw = self.asker.ask(question, key.explanation, str, default=default, hidden=True)
            if pw is None:
                break
            self._set("device", "pw", pw)
            if self._compare(ear) is not Sign.WRONG_PW:
                return
            question = _("PW again, or Enter keeps it")

    def _st(self, ear: Ear) -> None:
        key, usual = KEYS["device", "st"], self.base.device.get("st", "")
        st = self.asker.ask(key.question, key.explanation, _read_st, default=self._offered("device", "st") or usual)
        self._set("device", "st", None if st == usual else st)
        self._compare(ear)

    def _compare(self, ear: Ear) -> Sign | None:
        """Hold the answers against what was heard, and say where they differ."""
        if not ear.port:
            return None
        known = {"st": self.base.device.get("st", ""), **self.given.get("device", {})}
        ear.declare(known)
        found = ear.look()
        if not ear.speakers:
            return None
        if found.sign in _AGREES:
            self.asker.tell(_("  agrees with what the device sends"))
        else:
            self.asker.tell(f"  {found.said}")
        return found.sign

    def _values(self, ear: Ear) -> None:
        """Read interval and clock of the device, and say what a run would make of them."""
        if not ear.speakers:
            return
        interval = ear.ask("1061", "RtdInterval")
        wanted = self.base.limits.report_interval_s
        if interval is None:
            self.asker.tell(_("  the device does not tell its reporting interval (1061)"))
        else:
            text = _("  the device reports every {found} s; the requirement is {wanted} s")
            self.asker.tell(text.format(found=shown_field(interval[0]), wanted=f"{wanted:g}"))
        clock = ear.ask("1011", "SystemTime")
        self.asker.tell(f"  {_of_clock(clock)}")

    # What it has

    def _methods(self) -> None:
        key = KEYS["declare", "methods"]
        usual = list(self.base.declare.get("methods", ()))
        offered = self._offered("declare", "methods") or usual
        self.asker.tell("  " + "  ".join(f"{number} {name}" for number, name in enumerate(METHODS, 1)))
        chosen = self.asker.ask(key.question, key.explanation, _read_methods, default=", ".join(offered))
        self._set("declare", "methods", None if chosen is None or chosen == usual else chosen)

    def _yes(self, name: str) -> None:
        key, usual = KEYS["declare", name], bool(self.base.declare.get(name, True))
        offered = self._offered("declare", name)
        answer = self.asker.yes(key.question, key.explanation, default=usual if offered is None else bool(offered))
        self._set("declare", name, None if answer == usual else answer)


#: What Enter means where the device is waited for.
_ENTER: Final = "Enter"


def _read_wait(answer: str) -> str:
    if answer in (_ENTER, "s"):
        return answer
    raise Refused(_("Enter or s"))


def _read_mn(answer: str) -> str:
    if re.search(r"[\s;=&,#]", answer):
        raise Refused(_("an MN holds no blanks and none of ; = & , #"))
    return answer


def _read_st(answer: str) -> str:
    if re.fullmatch(r"[0-9A-Z]{2}", answer):
        return answer
    raise Refused(_("a system code is two characters 0-9 A-Z"))


def _read_methods(answer: str) -> list[str]:
    """Read names or numbers of ways to open, separated by commas or blanks."""
    chosen = []
    for word in re.split(r"[\s,，、]+", answer.strip()):
        name = METHODS[int(word) - 1] if word in map(str, range(1, len(METHODS) + 1)) else word
        if name not in METHODS:
            raise Refused(_("known are: {names}").format(names=", ".join(METHODS)))
        chosen.append(name)
    return [name for name in METHODS if name in chosen]


def _content(heard: Heard) -> str:
    message = heard.message
    wants = bool((message.flag or 0) & FlagBits.ANSWER)
    return f"CN={shown_field(message.cn)} ST={shown_field(message.st)} Flag={shown_field(str(message.flag))}" + (
        _(", wants an answer") if wants else ""
    )


def _of_clock(told: tuple[str, float] | None) -> str:
    if told is None:
        return _("the device does not tell its clock (1011)")
    try:
        ahead = parse_time(told[0]).timestamp() - told[1]
    except ValueError:
        return _("the device's clock is no time of 14 digits (1011)")
    if abs(ahead) <= CLOCK_WORD_S:
        return _("the device's clock agrees with this computer's")
    seconds = f"{abs(ahead):.0f}"
    if ahead > 0:
        return _("the device's clock is {seconds} s ahead of this computer's").format(seconds=seconds)
    return _("the device's clock is {seconds} s behind this computer's").format(seconds=seconds)
