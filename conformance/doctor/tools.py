"""Small programs of the operating system that are asked for what only they know: bounded in time, never with rights."""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

__all__ = ["TOOL_S", "Told", "ask_tool"]

#: A program that has not answered by now will not.
TOOL_S: Final = 3.0
#: Where administrators' programs stand, which a user's PATH leaves out.
_SBIN: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/libexec/ApplicationFirewall")


@dataclass(frozen=True, slots=True)
class Told:
    """What a program said.

    Attributes:
        code: Its exit code.
        text: Its standard output, in English where it speaks several languages and lets itself be asked.
    """

    code: int
    text: str


def ask_tool(*command: str, timeout_s: float = TOOL_S) -> Told | None:
    """Run a program and return what it said; ``None`` where there is no such program or it does not answer in time."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *(folder for folder in _SBIN if os.name == "posix")])
    program = shutil.which(command[0], path=path)
    if program is None:
        return None
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "en"}
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout_s,
            env=environment, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return Told(done.returncode, _decoded(done.stdout))


def _decoded(data: bytes) -> str:
    """Return output as text: UTF-8, else what this system's consoles speak (GBK on a Chinese Windows)."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(locale.getpreferredencoding(False), "replace")
