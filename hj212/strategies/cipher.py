"""Frames whose data area is SM4 ciphertext (HJ 212-2025 6.4); needs the library of :mod:`hj212.encryption`."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from ..editions import Rules
from ..encryption import CipherForm, Key, encrypt_frame, must_encrypt
from .content import messages
from .rows import rows_of

__all__ = ["Encrypted", "encrypted_frames", "keys"]


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A frame in ciphertext, and what it says."""

    raw: bytes  #: from ``##`` to CR LF
    segment: bytes  #: the data segment in plaintext
    key: Key
    form: CipherForm = field(default=CipherForm.RAW)


def keys() -> st.SearchStrategy[Key]:
    """SM4 keys that 6.4.3 does not forbid."""
    return st.binary(min_size=16, max_size=16).map(Key).filter(lambda key: not key.patterned)


@st.composite
def encrypted_frames(draw: st.DrawFn, rules: Rules, form: CipherForm | None = None) -> Encrypted:
    """Frames that the edition wants encrypted, in ciphertext.

    Args:
        draw: Given by Hypothesis.
        rules: The edition.
        form: How the ciphertext is written; drawn where it is not given.

    Raises:
        ValueError: If the edition encrypts nothing.
    """
    wanted = [row for row in rows_of(rules) if row.upward and must_encrypt(rules, row.cn, True)]
    if not wanted:
        raise ValueError(f"{rules.title} encrypts nothing")
    row = draw(st.sampled_from(wanted))
    segment = bytes(draw(messages(rules, cn=row.cn, upward=True)))
    key = draw(keys())
    chosen = draw(st.sampled_from(CipherForm)) if form is None else form
    return Encrypted(encrypt_frame(segment, key, form=chosen), segment, key, chosen)
