"""Every key of a profile in words: what it is asked as, and what is said of it in the file and on ``?``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from stationgate.language import N_, gettext

__all__ = ["KEYS", "SECTIONS", "Key"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a profile.

    Attributes:
        section: Its section.
        name: Its name.
        label: Message id of what it is called.
        about: Message id of what it is for.
        example: A value that shows its form where the profile below has none.
    """

    section: str
    name: str
    label: str
    about: str
    example: Any = ""

    @property
    def question(self) -> str:
        """What it is called, in the active language."""
        return gettext(self.label)

    @property
    def explanation(self) -> str:
        """What it is for, in the active language."""
        return gettext(self.about)


#: What each section is for, by its name in the order of the file.
SECTIONS: Final = {
    "sample": N_("What is tested. All of it stands on page one of the report; without client, manufacturer, model, "
                 "serial number and firmware version the report is headed as a trial run."),
    "test": N_("Who tests, where and by what. Without place, tester, reviewer and basis the report is headed as a "
               "trial run."),
    "listen": N_("Where this computer listens for the device."),
    "device": N_("How the device calls itself."),
    "declare": N_("What the device has; what it does not have is not judged."),
}  # fmt: skip

_ROWS: Final = (
    Key("sample", "client", N_("client"), N_("Who ordered the test, as the report shall name it.")),
    Key("sample", "manufacturer", N_("manufacturer"), N_("Who made the device.")),
    Key("sample", "model", N_("model"), N_("Type designation, as on the nameplate.")),
    Key("sample", "serial_number", N_("serial number"), N_("Number of this very device, as on the nameplate.")),
    Key("sample", "hardware_version", N_("hardware version"), N_("Version of the hardware, if it has one.")),
    Key("sample", "firmware_version", N_("firmware version"),
        N_("Version of the software in the device: a verdict holds for this version alone.")),
    Key("sample", "photo", N_("photo"), N_("File name of a photograph of the device.")),
    Key("test", "place", N_("place of the test"), N_("Site or laboratory where the device is tested.")),
    Key("test", "tester", N_("tester"), N_("Who carries the test out and signs for it.")),
    Key("test", "reviewer", N_("reviewer"), N_("Who checks the report; another person than the tester.")),
    Key("test", "basis", N_("basis"), N_("The documents tested against, each with its edition."), "HJ 212-2017"),
    Key("test", "lang", N_("language"), N_("Language of prompts and report: zh or en."), "zh"),
    Key("test", "report_number", N_("report number"), N_("Number of the report, by your own scheme.")),
    Key("test", "clock_reference", N_("clock reference"),
        N_("What this computer's clock was compared with, where nothing keeps it right.")),
    Key("listen", "host", N_("address"), N_("Address to listen on; 0.0.0.0 is every network card."), "0.0.0.0"),
    Key("listen", "port", N_("port"), N_("Port to listen on; the device is given the same."), 8212),
    Key("listen", "advertised_host", N_("address typed into the device"),
        N_("Where the device reaches this computer through a router or a tunnel, if not at its own address.")),
    Key("listen", "advertised_port", N_("port typed into the device"), N_("The port that belongs to it."), 8212),
    Key("device", "mn", N_("MN"),
        N_("Identity of the device, 24 characters 0-9 A-F. Without it the first MN that reports is taken.")),
    Key("device", "pw", N_("PW"),
        N_("Access password that the platform issued; it is compared and never shown. This file holds it in clear. "
           "Without it the PW is not judged.")),
    Key("device", "st", N_("ST"), N_("System code; 81 is the door controller of the regional plan."), "81"),
    Key("device", "dictionary", N_("dictionary"), N_("What the region's codes mean; nx: Ningxia, table 2-1."), "nx"),
    Key("device", "edition", N_("edition"), N_("Edition of HJ 212."), "2017"),
    Key("declare", "methods", N_("methods fitted"),
        N_("Ways to open the door that identify a person: face, ic-card, fingerprint, password."), ["face"]),
    Key("declare", "exit_button", N_("exit button"),
        N_("Whether the door opens from inside without identification, by a button or a key."), True),
    Key("declare", "log", N_("log"), N_("Whether the device writes logs that can be uploaded."), True),
    Key("declare", "remote_opening", N_("opening by the platform"),
        N_("Whether the platform can open the door."), False),
)  # fmt: skip

#: Every key, by section and name, in the order of the file.
KEYS: Final[dict[tuple[str, str], Key]] = {(row.section, row.name): row for row in _ROWS}
