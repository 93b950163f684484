"""The device's side: registration and keepalives, without I/O (GB/T 28181-2022 9.1, 9.6).

Answers to queries, controls, subscriptions and calls are still to come.
"""

from .account import Account
from .events import ClockTold, DeviceEvent, PlatformLost, Redirected, Registered, RegistrationFailed, Unregistered
from .registration import Registration, RegistrationState

__all__ = [
    "Account",
    "ClockTold",
    "DeviceEvent",
    "PlatformLost",
    "Redirected",
    "Registered",
    "Registration",
    "RegistrationFailed",
    "RegistrationState",
    "Unregistered",
]
