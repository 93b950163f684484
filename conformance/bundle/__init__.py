"""Evidence: a run sealed into one file that tells whether a bit of it was changed, and that can be judged again."""

from .export import export_redacted, verify_link
from .keys import Key, fingerprint, installation_key, load_key, trusted_fingerprint
from .opening import Bundle, Verification, open_bundle, read_bundle, verify
from .redacted import RedactedCopy
from .rejudging import Change, Rejudged, rejudge, report_of
from .sealing import Sealed, check_attachments, seal, write_file

__all__ = [
    "Bundle",
    "Change",
    "Key",
    "RedactedCopy",
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
    "report_of",
    "seal",
    "trusted_fingerprint",
    "verify",
    "verify_link",
    "write_file",
]
