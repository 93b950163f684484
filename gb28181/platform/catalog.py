"""目录树: the devices below a platform, by their items (GB/T 28181-2022 annexes J and N; 2016 annexes O and P).

Only the answer to a question of ours replaces a catalogue; a notice changes it. Parents may be several, joined by
``/``; an item whose parent nobody listed hangs at the device that told of it, for some devices name their domain.
Notices add no more items than an answer may have.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Final

from ..manscdp.items import CatalogItem
from ..manscdp.parts import MAX_ITEMS

__all__ = ["MAX_DEPTH", "Catalog"]

#: Levels of a tree; deeper ones are rings.
MAX_DEPTH: Final = 32
#: Events of N.4.3.2 that change the status only.
_STATUS: Final = {"ON": "ON", "OFF": "OFF", "VLOST": "OFF", "DEFECT": "OFF"}


class Catalog:
    """The catalogue of one device or platform below.

    Args:
        root: Its code.
    """

    __slots__ = ("_items", "root")

    def __init__(self, root: str) -> None:
        self.root = root
        self._items: dict[str, CatalogItem] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[CatalogItem]:
        return iter(self._items.values())

    def get(self, code: str) -> CatalogItem | None:
        """Return an item."""
        return self._items.get(code)

    def replace(self, items: Iterable[CatalogItem]) -> None:
        """Take over a whole answer."""
        self._items = {item.device_id: item for item in items if item.device_id}

    def change(self, items: Iterable[CatalogItem]) -> list[str]:
        """Take changes over; return the codes of those that changed anything."""
        changed = []
        for item in items:
            if item.device_id and self._change(item.device_id, item):
                changed.append(item.device_id)
        return changed

    def _change(self, code: str, item: CatalogItem) -> bool:
        # Blanks behind the word stand in the standard's own example; without a word it is an item as it is now.
        event = (item.event or "UPDATE").strip().upper()
        known = self._items.get(code)
        if event == "DEL":
            return self._items.pop(code, None) is not None
        if event in _STATUS:
            if known is None or known.status == _STATUS[event]:
                return False
            self._items[code] = dataclasses.replace(known, status=_STATUS[event])
            return True
        if known is None and len(self._items) >= MAX_ITEMS:
            return False
        given = {each.name: getattr(item, each.name) for each in dataclasses.fields(item)}
        news = {name: value for name, value in given.items() if value not in (None, ()) and name != "event"}
        made = dataclasses.replace(known, **news) if known is not None else dataclasses.replace(item, event=None)
        self._items[code] = made
        return made != known

    def parents(self, code: str) -> tuple[str, ...]:
        """Return the codes above an item; the root's where none of them is listed."""
        item = self._items.get(code)
        if item is None or code == self.root:
            return ()
        group = item.business_group or (item.info.business_group if item.info else None)
        told = [part.strip() for part in (item.parent_id or "").split("/")]
        listed = tuple(part for part in told if part != code and (part in self._items or part == self.root))
        if not listed and group and group in self._items and group != code:
            listed = (group,)  # an organisation right below its group names no parent (2022 A.2.1.9)
        return listed or (self.root,)

    def children(self, code: str) -> list[CatalogItem]:
        """Return the items right below one, or below the root."""
        return [item for item in self if item.device_id != code and code in self.parents(item.device_id or "")]

    def below(self, code: str) -> list[CatalogItem]:
        """Return all items below one, each once, nearest first."""
        found: dict[str, CatalogItem] = {}
        level = [code]
        children: dict[str, list[CatalogItem]] = {}
        for item in self:
            for parent in self.parents(item.device_id or ""):
                children.setdefault(parent, []).append(item)
        for _ in range(MAX_DEPTH):
            nexts = []
            for parent in level:
                for item in children.get(parent, ()):
                    one = item.device_id or ""
                    if one not in found and one != code:
                        found[one] = item
                        nexts.append(one)
            level = nexts
        return list(found.values())
