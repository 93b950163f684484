"""Keys that sign evidence: one per installation, made on first use, or the user's own; Ed25519.

A private key never appears in a text of ours; what is shown is the fingerprint of its public half.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from stationgate.exits import EnvironmentFault, UsageFault, reason
from stationgate.home import home
from stationgate.language import _

__all__ = ["KEY_FILE", "MAX_KEY_BYTES", "Key", "fingerprint", "installation_key", "load_key", "signed_by",
           "trusted_fingerprint"]  # fmt: skip

#: Where the key of an installation stands, under its home.
KEY_FILE: Final = "signing-key.pem"
#: An Ed25519 key in PEM has some 120 bytes; with text around it, no more than this.
MAX_KEY_BYTES: Final = 64 << 10

_HEX = re.compile(r"[0-9a-f]{64}")
_GROUP: Final = 4


class Key:
    """A private key that can only sign."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)  #: 32 bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> Key:
        """Return the key of 32 bytes that somebody keeps secret."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its public half."""
        return fingerprint(self.public)

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"<Key {self.fingerprint}>"


def fingerprint(public: bytes) -> str:
    """Return the SHA-256 of a public key as people compare it: hexadecimal, in groups of four."""
    text = hashlib.sha256(public).hexdigest()
    return " ".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def signed_by(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether a signature over ``data`` is that of a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def installation_key() -> Key:
    """Return the key of this installation; the first call makes it.

    Raises:
        EnvironmentFault: If it can be neither read nor written.
    """
    path = home() / KEY_FILE
    try:
        if not path.exists():
            _create(path)
        return load_key(path)
    except OSError as error:
        raise EnvironmentFault(
            _("cannot keep the signing key in {path}: {why}").format(path=path, why=reason(error)),
            _("sign with a key of your own: --sign-key FILE; or set STATIONGATE_HOME to a folder that can be written"),
        ) from error


def _create(path: Path) -> None:
    """Write a new key, complete from the moment it can be seen; where another process was first, its key stays."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by the owner only
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            _publish(name, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _publish(name: str, path: Path) -> None:
    """Give a complete file its name unless that is taken."""
    try:
        os.link(name, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            return
        os.replace(name, path)


def load_key(path: Path) -> Key:
    """Return the private key in a PEM file.

    Raises:
        OSError: If it cannot be read.
        UsageFault: If it is no Ed25519 key, or is locked by a password.
    """
    how = _("make one with: openssl genpkey -algorithm ed25519 -out FILE")
    try:
        private = load_pem_private_key(_read(path), password=None)
    except TypeError:
        raise UsageFault(
            _("{file}: the private key is locked by a password").format(file=path),
            _("give a copy without one, readable by you only"),
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageFault(_("{file}: expected a private key in PEM").format(file=path), how) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageFault(_("{file}: expected an Ed25519 key, found another kind").format(file=path), how)
    return Key(private)


def trusted_fingerprint(given: str) -> str:
    """Return the fingerprint that a user trusts.

    Args:
        given: The fingerprint as printed, or without its blanks; or the path of a public key in PEM.

    Raises:
        UsageFault: If it is neither.
    """
    text = re.sub(r"[\s:-]", "", given).lower()
    if _HEX.fullmatch(text):
        return " ".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
    wanted = _("expected a fingerprint of 64 hexadecimal digits, or the file of a public key in PEM")
    try:
        public = load_pem_public_key(_read(Path(given)))
    except OSError as error:
        raise UsageFault(_("--trusted-key {given}: {why}").format(given=given, why=reason(error)), wanted) from None
    except (ValueError, UnsupportedAlgorithm):
        raise UsageFault(_("--trusted-key {given}: it is no public key").format(given=given), wanted) from None
    if not isinstance(public, Ed25519PublicKey):
        raise UsageFault(_("--trusted-key {given}: it is no Ed25519 key").format(given=given), wanted)
    return fingerprint(public.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_KEY_BYTES + 1)
    if len(data) > MAX_KEY_BYTES:
        raise ValueError("too large for a key")
    return data
