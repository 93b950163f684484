"""The codes a door writes, by what they are for; which they are is the regional dictionary's business."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import accessctl

from .world import Method

__all__ = ["Codes"]

_ROLES = ("door", "dismantled", "fault", "method", "person", "opened_at", "log")


@dataclass(frozen=True, slots=True)
class Codes:
    """The regional codes a door writes, by role."""

    door: str
    dismantled: str
    fault: str
    method: str
    person: str
    opened_at: str
    log: str
    methods: dict[Method, str]

    @classmethod
    @cache
    def of(cls, region: str) -> Codes:
        """Return the codes of a region's dictionary, by its name in :mod:`accessctl`."""
        rows = {row.role: row for row in accessctl.load(region).codes}
        known = {method.value for method in Method}
        methods = {Method(str(v.meaning)): v.wire for v in rows["method"].values if str(v.meaning) in known}
        names = {name: rows[name].code for name in _ROLES}
        return cls(**names, methods=methods)

    def signal(self, name: str) -> str:
        """Return the code of ``door``, ``dismantled`` or ``fault``."""
        code: str = getattr(self, name)
        return code
