"""The tables of the standards, a file and a module each, read once when first asked for.

A row holds what the wire carries, what it is called in Chinese and in English, and where that is known from.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["read_table"]


def read_table(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file beside this module, a dictionary each."""
    # Imported here: they cost more than most of the package, and many users need no table.
    import csv
    from pkgutil import get_data

    data = get_data(__name__, name)
    assert data is not None
    yield from csv.DictReader(data.decode("utf-8").splitlines())
