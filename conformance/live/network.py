"""The network cards of this computer and the addresses at which a device could reach it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

import ifaddr

__all__ = ["MAX_CARDS", "Card", "addresses_for", "cards", "is_any", "is_loopback"]

#: Cards that are shown. A computer with more (containers, tunnels) has them in alphabetical order after the real ones.
MAX_CARDS: Final = 16


@dataclass(frozen=True, slots=True)
class Card:
    """One IPv4 address of one network card.

    Attributes:
        name: What the system calls the card: ``eth0``, ``en0``, on Windows ``以太网`` or ``Ethernet 2``.
        address: The address, dotted decimal.
        prefix: Length of its network's prefix, in bits.
    """

    name: str
    address: str
    prefix: int

    @property
    def loopback(self) -> bool:
        """Whether only this computer reaches it."""
        return ipaddress.IPv4Address(self.address).is_loopback

    @property
    def link_local(self) -> bool:
        """Whether the card gave itself the address because nobody else did (169.254.0.0/16)."""
        return ipaddress.IPv4Address(self.address).is_link_local

    def __str__(self) -> str:
        return f"{self.address} ({self.name})"


def cards() -> list[Card]:
    """Return the IPv4 addresses of this computer: those a device may reach first, link-local ones next, loopback last.

    A card may have several addresses; one without any is left out. The list is empty where the system does not tell.
    """
    found = []
    try:
        for adapter in ifaddr.get_adapters():
            found += [Card(ip.nice_name, ip.ip, ip.network_prefix) for ip in adapter.ips if isinstance(ip.ip, str)]
    except OSError:
        return []
    # A stable sort: cards of one kind keep the system's order, which is that of their numbers.
    return sorted(found, key=lambda card: (card.loopback, card.link_local))[:MAX_CARDS]


def is_any(host: str) -> bool:
    """Whether listening on ``host`` means on every card."""
    return host in ("", "0.0.0.0", "::")


def is_loopback(host: str) -> bool:
    """Whether only this computer can connect to ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def addresses_for(host: str) -> list[Card]:
    """Return where a device reaches what listens on ``host``: every card but loopback, or the one that was meant.

    Where only loopback is up, that is returned.
    """
    every = cards()
    if not is_any(host):
        return [card for card in every if card.address == host] or [Card("", host, 32)]
    return [card for card in every if not card.loopback] or every
