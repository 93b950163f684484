"""The cases, a module for each group of requirements; importing this package registers them all, in report order."""

from __future__ import annotations

from . import framing, header, link, openings, outage, reports, states, values  # noqa: F401  # report order

__all__: list[str] = []
