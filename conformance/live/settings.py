"""Settings of the device: read before they are changed, on record before they are sent, put back at the end.

The record says what a setting was before the request that changes it goes out, so that a run that is killed in
between can still be put right by the one that goes on with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..transcript import Transcript
from ..verdicts import say

if TYPE_CHECKING:
    from .bench import Bench

__all__ = ["SETTINGS", "Setting", "change", "outstanding", "restore"]

#: How often a setting is sent back before it is given up for this link, and in all.
RESTORE_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that a platform may read and write.

    Attributes:
        name: Its field.
        read: CN that reads it.
        write: CN that sets it.
    """

    name: str
    read: str
    write: str


#: What the suite may change. OverTime and ReCount are not among it: CN=1000 sets them and nothing reads them back.
SETTINGS: Final = {"RtdInterval": Setting("RtdInterval", "1061", "1062")}


def outstanding(transcript: Transcript) -> dict[str, str]:
    """Return what was changed and not put back: the name of each setting and the value it had."""
    before: dict[str, str] = {}
    changed: dict[str, str] = {}
    for entry in transcript:
        if entry.kind != "setting":
            continue
        name, phase, value = (str(entry.attachment[key]) for key in ("name", "phase", "value"))
        if phase == "read" and name not in changed:
            before[name] = value
        elif phase == "set" and name in before:
            changed[name] = before[name]
        elif phase == "restored":
            changed.pop(name, None)
    return changed


async def _read(bench: Bench, setting: Setting) -> str | None:
    qn = await bench.request(setting.read)
    if qn is None:
        return None
    told = await bench.wait(
        lambda h: h.message.qn == qn and h.message.cn == setting.read and h.message.parameter(setting.name) is not None,
        2 * bench.limits.response_s,
    )
    return told.message.parameter(setting.name) if told else None


async def _write(bench: Bench, setting: Setting, value: str) -> bool:
    end = await bench.ask(setting.write, f"{setting.name}={value}".encode())
    return end.result == "done" and await _read(bench, setting) == value


async def change(bench: Bench, name: str, value: str) -> bool:
    """Set a setting for a while; ``False`` where the device does not tell its value or does not take the new one."""
    setting = SETTINGS[name]
    before = await _read(bench, setting)
    if before is None:
        return False
    bench.transcript.add("setting", bench.now, name=name, phase="read", value=before)
    if before == value:
        return True
    bench.transcript.add("setting", bench.now, name=name, phase="set", value=value)
    return await _write(bench, setting, value)


async def restore(bench: Bench, *, last: bool = False) -> None:
    """Put back whatever is not as it was found; what cannot be put back the ``last`` time is on record as lost."""
    for name, value in outstanding(bench.transcript).items():
        bench.tell(say("putting {name} back to {value}", name=name, value=value), bench.limits.report_interval_s)
        for _try in range(RESTORE_TRIES):
            if await _write(bench, SETTINGS[name], value):
                bench.transcript.add("setting", bench.now, name=name, phase="restored", value=value)
                break
        else:
            if last:
                bench.transcript.add("setting", bench.now, name=name, phase="lost", value=value)
