"""Evidence: a run sealed into one file that tells whether a bit of it was changed, and that can be judged again."""

from .export import export_redacted
from .keys import Key, fingerprint, installation_key, load_key, trusted_fingerprint
from .opening import Bundle, Verification, open_bundle, read_bundle, verify, verify_link
from .rejudging import Rejudged, rejudge
from .sealing import Sealed, check_attachments, seal

__all__ = [
    "Bundle",
    "Key",
    "Rejudged",
    "Sealed",
    "Verification",
    "check_attachments",
    "export_redacted",
    "fingerprint",
    "installation_key",
    "load_key",
    "open_bundle",
    "read_bundle",
    "rejudge",
    "seal",
    "trusted_fingerprint",
    "verify",
    "verify_link",
]
