"""The archive: a zip of which there is only one for the same members, so that every bit of it can be checked.

Members are stored without compression, in a fixed order, dated 1980-01-01, with fixed attributes. Whoever reads one
packs its members again and compares byte for byte: a changed date, a comment, a gap between members, anything that a
zip may hold and nobody looks at, is found like a changed verdict.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import Final

from ..verdicts import Said, say

__all__ = [
    "ATTACHMENTS",
    "MAX_ARCHIVE_BYTES",
    "MAX_MEMBERS",
    "MAX_NAME_BYTES",
    "ArchiveError",
    "is_name",
    "pack",
    "unpack",
]

#: A full transcript takes some 80 MB, its capture 50 MB, attachments 100 MB.
MAX_ARCHIVE_BYTES: Final = 256 << 20
#: Ours, and 64 attachments.
MAX_MEMBERS: Final = 80
#: Bytes of a member's name in UTF-8; those of attachments are limited to 120 where they are made.
MAX_NAME_BYTES: Final = 160

#: Folder of what the user added.
ATTACHMENTS: Final = "attachments/"
#: The members in their order; attachments follow, by name.
ORDER: Final = (
    "manifest.json",
    "manifest.sig",
    "profile.toml",
    "plan.json",
    "transcript.jsonl",
    "verdicts.json",
    "capture.pcapng",
    "report.html",
)

# Nothing here depends on the Unicode tables of one Python: a name is as good on the next one.
_ATTACHED = re.compile(re.escape(ATTACHMENTS) + r'[^/\\:*?"<>|\x00-\x1f\x7f. ][^/\\:*?"<>|\x00-\x1f\x7f]*')

#: End of central directory: signature, disks, members, size and place of the directory, length of a comment.
_END: Final = struct.Struct("<4s4H2LH")
_END_MARK: Final = b"PK\x05\x06"
#: A directory entry without its name.
_ENTRY_BYTES: Final = 46
#: What zipfile says of bytes that are no zip; which of them depends on where it is damaged.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    OverflowError,
    struct.error,
)


class ArchiveError(ValueError):
    """Bytes that are no archive of ours, or one that was changed.

    Attributes:
        said: What is wrong and where.
    """

    def __init__(self, said: Said) -> None:
        super().__init__(said.msgid)
        self.said = said


def is_name(name: str) -> bool:
    """Whether a member may be called this."""
    return name in ORDER or (bool(_ATTACHED.fullmatch(name)) and len(_raw(name)) <= MAX_NAME_BYTES)


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return the archive of some members, whatever order they are given in.

    Raises:
        ValueError: If a name is none of ours, or a limit is exceeded.
    """
    if not all(map(is_name, members)):
        raise ValueError(f"no name of a member: {next(name for name in members if not is_name(name))!r}")
    if len(members) > MAX_MEMBERS or sum(map(len, members.values())) > MAX_ARCHIVE_BYTES:
        raise ValueError("more members or more bytes than an archive may have")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(members, key=_place):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # as on Unix, also where Windows would write 0
            info.external_attr = 0o600 << 16
            archive.writestr(info, members[name])
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the members of an archive, in order.

    Raises:
        ArchiveError: If :func:`pack` did not write exactly these bytes.
    """
    _check_size(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _read(archive, len(data))
    except ArchiveError:
        raise
    except _UNREADABLE as error:
        raise ArchiveError(say("the file is no zip archive that can be read: it was cut short or changed")) from error
    rebuilt = pack(members)
    if rebuilt != data:
        raise ArchiveError(_difference(data, rebuilt))
    return members


def _check_size(data: bytes) -> None:
    """Refuse what would cost much to read: zipfile takes in a directory of any size before it can be asked."""
    if len(data) > MAX_ARCHIVE_BYTES:
        raise ArchiveError(say("the file is larger than {size} bytes", size=MAX_ARCHIVE_BYTES))
    end = data[-_END.size :]
    if len(end) < _END.size or not end.startswith(_END_MARK):
        raise ArchiveError(say("the file does not end as a bundle does: it was cut short, changed or added to"))
    _mark, _disk, _start_disk, _here, count, directory, _offset, _comment = _END.unpack(end)
    if count > MAX_MEMBERS or directory > MAX_MEMBERS * (_ENTRY_BYTES + MAX_NAME_BYTES):
        raise ArchiveError(say("the archive has more than {count} members", count=MAX_MEMBERS))
    if data[-_END.size - 20 :].startswith(b"PK\x06\x07"):  # another directory of any size, for large archives
        raise ArchiveError(say("the file is no zip archive that can be read: it was cut short or changed"))


def _read(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    for info in infos:
        if not is_name(info.filename):
            raise ArchiveError(say("the archive has a member that no bundle has: {name}", name=_shown(info.filename)))
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise ArchiveError(say("{name} is compressed or encrypted: no bundle is", name=info.filename))
    if names != sorted(set(names), key=_place):
        raise ArchiveError(say("the members are not in the order of a bundle, or one stands there twice"))
    # Members that overlap, or claim to be more than there is.
    if sum(info.file_size for info in infos) > size:
        raise ArchiveError(say("the members are larger than the archive"))
    members = {}
    for info in infos:
        try:
            members[info.filename] = archive.read(info)
        except _UNREADABLE as error:
            at = info.header_offset
            raise ArchiveError(
                say("{name} was changed: its check value does not fit (from byte {at})", name=info.filename, at=at)
            ) from error
    return members


def _difference(data: bytes, rebuilt: bytes) -> Said:
    """Say where an archive first differs from the one that its members make."""
    at = _first_difference(data, rebuilt)
    with zipfile.ZipFile(io.BytesIO(rebuilt)) as archive:
        name = next((info.filename for info in reversed(archive.infolist()) if info.header_offset <= at), "")
        if at >= archive.start_dir:
            return say("byte {at} was changed: it belongs to the directory of the archive", at=at)
    return say("byte {at} was changed: it belongs to the zip record of {name}", at=at, name=name)


def _first_difference(a: bytes, b: bytes) -> int:
    """Return the first position where two byte strings differ; where one goes on, the end of the other."""
    at, size = 0, 1 << 16
    while a[at : at + size] == b[at : at + size] and at < min(len(a), len(b)):
        at += size
    end = min(len(a), len(b), at + size)
    return next((i for i in range(at, end) if a[i] != b[i]), end)


def _place(name: str) -> tuple[int, bytes]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), _raw(name))


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _shown(name: str) -> str:
    return repr(name[:MAX_NAME_BYTES])
