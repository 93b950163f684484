"""``conformance init``: asks for what a profile declares, tests each answer on the device, writes the profile.

It listens while it asks, acknowledges what a device reports, and reads the device's interval and clock; it changes
nothing on the device.
"""

from .questions import run_wizard

__all__ = ["run_wizard"]
