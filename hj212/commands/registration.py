"""1001, 1002 and 1014 of the 2025 edition: registration of a data logger and exchange of keys (6.8, 6.4.3)."""

from __future__ import annotations

from .core import Command, command
from .parameters import text

__all__ = ["AskForKey", "HardwareNumbers", "SetKey", "SetStationIdentity"]

_LOGGER = ("数采仪硬件序号", "hardware number of the data logger")


@command("1001", upward=True)
class HardwareNumbers(Command):
    """上传数采仪硬件序号: a data logger that has no MN yet says who it is."""

    logger: str = text("i23005-Info", terms=_LOGGER)
    cpu: str = text("i23006-Info", terms=("CPUID", "number of the CPU"))
    mac_1: str = text("i23007-Info", terms=("MAC地址1", "first MAC address"))
    mac_2: str = text("i23008-Info", terms=("MAC地址2", "second MAC address"))


@command("1002", upward=False)
class SetStationIdentity(Command):
    """设置数采仪MN编码: the MN in the header is from now on that of the data logger with this number."""

    logger: str = text("i23005-Info", terms=_LOGGER)


@command("1014", upward=True)
class AskForKey(Command):
    """现场机获取新密钥; with the time when the present key was made."""

    created: str = text("SKCreateTime", chars=17)


@command("1014", upward=False)
class SetKey(Command):
    """上位机设置新密钥: 16 characters, the 128 bits of SM4; ``repr`` does not show them."""

    created: str = text("SKCreateTime", chars=17)
    key: str = text("NewSK", chars=16, secret=True)
