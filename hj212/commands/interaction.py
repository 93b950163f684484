"""9011 to 9015: answers (交互命令) and the heartbeat.

:func:`hj212.messages.request_answer` and its neighbours make the answer to a message; these classes read them, and
write them for whoever has all the fields.
"""

from __future__ import annotations

from .core import Command, command
from .parameters import text, whole

__all__ = ["DataAnswer", "ExecutionResult", "Heartbeat", "NoticeAnswer", "RequestAnswer"]


@command("9011", upward=True)
class RequestAnswer(Command):
    """请求应答: whether the station will carry out a request; see :class:`hj212.QnRtn`."""

    code: int | None = whole("QnRtn", chars=3)


@command("9012", upward=True)
class ExecutionResult(Command):
    """执行结果: how the request ended; see :class:`hj212.ExeRtn`."""

    code: int | None = whole("ExeRtn", chars=3)


@command("9013", upward=None)
class NoticeAnswer(Command):
    """通知应答."""


@command("9014", upward=None)
class DataAnswer(Command):
    """数据应答; that of the 2005 edition repeats which packet of which command it answers."""

    answered_cn: str = text("CN", chars=4)
    answered_pno: int | None = whole("PNO", chars=4)
    answered_pnum: int | None = whole("PNUM", chars=4)


@command("9015", upward=None)
class Heartbeat(Command):
    """心跳包: the link is alive."""
