"""The truth about a run: a ledger of what a platform must have, and the audit that compares it with what it stored."""

from __future__ import annotations

from .audit import Audit
from .findings import Counts, Difference, Expected, Finding, Kind, Received
from .lines import LedgerHeader
from .mapping import parse_mapping
from .reading import LedgerError, LedgerFile
from .received import open_received
from .writing import LedgerFailure, LedgerWriter

__all__ = [
    "Audit",
    "Counts",
    "Difference",
    "Expected",
    "Finding",
    "Kind",
    "LedgerError",
    "LedgerFailure",
    "LedgerFile",
    "LedgerHeader",
    "LedgerWriter",
    "Received",
    "open_received",
    "parse_mapping",
]
