"""Digest: the golden values, the forms that peers write, and what a registrar refuses."""

from __future__ import annotations

import hashlib
from itertools import count

import pytest

from gb28181 import LocalProtocolError, SipError
from gb28181.sip import Challenge, Credentials, Nonces, NonceState, answer, parse_message, verify
from gb28181.sip.digest import ALGORITHMS

from .examples import AUTHORIZED, DEVICE, DOMAIN, PASSWORD, PLATFORM, UNAUTHORIZED

URI = f"sip:{PLATFORM}@{DOMAIN}"
NONCE = "44010b73623249f6916a6acf7c316b8e"


@pytest.mark.parametrize(
    ("algorithm", "qop", "response"),
    [
        ("", (), "da0b48d27ae30f5413ac57acfa686de3"),
        ("MD5", (), "da0b48d27ae30f5413ac57acfa686de3"),
        ("MD5", ("auth",), "53b7df875a012c7c313f7709f8c7682a"),
        ("SHA-256", ("auth",), "cfd30b5e986cd2fb9656065e4366f22bee28ec0bda623fe85535716c10c2b19f"),
        ("SM3", ("auth",), "27902e6bb3a46f443b4c4622f4d29c114659136c21bc44ab3145a0c5dafe3942"),
    ],
)
def test_golden_values(algorithm: str, qop: tuple[str, ...], response: str) -> None:
    if algorithm and ALGORITHMS[algorithm] not in hashlib.algorithms_available:
        pytest.skip(f"this OpenSSL has no {algorithm}")
    challenge = Challenge(DOMAIN, NONCE, algorithm, qop)
    made = answer(challenge, username=DEVICE, password=PASSWORD, method="REGISTER", uri=URI, cnonce="0a4f113b")
    assert made.response == response
    read = Credentials.parse(str(made))
    assert read == made
    assert verify(read, password=PASSWORD, method="REGISTER")
    assert not verify(read, password="12345679", method="REGISTER")
    assert not verify(read, password=PASSWORD, method="MESSAGE")
    assert response not in repr(made)


def test_the_composed_exchange() -> None:
    header = parse_message(UNAUTHORIZED).headers.get("WWW-Authenticate")
    assert header is not None
    challenge = Challenge.parse(header)
    assert (challenge.realm, challenge.nonce, challenge.algorithm) == (DOMAIN, "6fe9ba44a76be22a", "MD5")
    assert str(challenge) == header
    made = answer(challenge, username=DEVICE, password=PASSWORD, method="REGISTER", uri=URI)
    assert str(made) == parse_message(AUTHORIZED).headers.get("Authorization")


@pytest.mark.parametrize(
    "header",
    [
        f'Digest username="{DEVICE}", realm="{DOMAIN}", nonce="{NONCE}", uri="{URI}", '
        'response="53B7DF875A012C7C313F7709F8C7682A", algorithm="MD5", cnonce="0a4f113b", qop="auth", nc=00000001',
        f"digest  username={DEVICE},realm={DOMAIN},nonce={NONCE},uri={URI},"
        "response=53b7df875a012c7c313f7709f8c7682a,algorithm=md5,cnonce=0a4f113b,qop=auth,nc=00000001",
    ],
)
def test_quoting_and_case_are_free(header: str) -> None:
    assert verify(Credentials.parse(header), password=PASSWORD, method="REGISTER")


def test_the_counter_counts_as_it_was_written() -> None:
    challenge = Challenge(DOMAIN, NONCE, "MD5", ("auth",))
    for nc in (1, 10, 255):
        made = answer(challenge, username="u", password="p", method="REGISTER", uri=URI, nc=nc, cnonce="c")
        assert verify(Credentials.parse(str(made)), password="p", method="REGISTER")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Basic abc", "expected Digest"),
        ("Digest realm=x", "nonce is missing"),
        ("Unidirection random1=x", "expected Digest"),
    ],
)
def test_challenges_that_cannot_be_answered(text: str, words: str) -> None:
    with pytest.raises(SipError, match=words):
        Challenge.parse(text)


def test_what_is_asked_for_must_be_known() -> None:
    for challenge in (Challenge("r", "n", "MD6"), Challenge("r", "n", "MD5", ("auth-int",))):
        with pytest.raises(SipError):
            answer(challenge, username="u", password="p", method="REGISTER", uri=URI)
    with pytest.raises(SipError, match="username is missing"):
        Credentials.parse('Digest nonce="1",uri="2",response="3"')
    with pytest.raises(LocalProtocolError):
        str(Challenge('a"b', "n"))


class TestNonces:
    def credentials(self, nonce: str, nc: str = "") -> Credentials:
        return Credentials("u", "r", nonce, URI, "x", nc=nc, qop="auth" if nc else "")

    def nonces(self, most: int = 10) -> Nonces:
        numbers = count()
        return Nonces(lambda: f"n{next(numbers)}", lifetime_s=100.0, most=most)

    def test_once_without_counter(self) -> None:
        nonces = self.nonces()
        nonce = nonces.issue(0.0)
        assert nonces.check(self.credentials(nonce), 1.0) is NonceState.OK
        assert nonces.check(self.credentials(nonce), 2.0) is NonceState.REPLAYED

    def test_again_with_a_higher_counter(self) -> None:
        nonces = self.nonces()
        nonce = nonces.issue(0.0)
        states = [nonces.check(self.credentials(nonce, nc), 1.0) for nc in ("00000001", "00000002", "00000002", "1")]
        assert states == [NonceState.OK, NonceState.OK, NonceState.REPLAYED, NonceState.REPLAYED]

    def test_age_and_strangers(self) -> None:
        nonces = self.nonces()
        nonce = nonces.issue(0.0)
        assert nonces.check(self.credentials(nonce), 101.0) is NonceState.STALE
        assert nonces.check(self.credentials("other"), 1.0) is NonceState.UNKNOWN

    def test_bounded(self) -> None:
        nonces = self.nonces(most=3)
        first, *_ = [nonces.issue(0.0) for _ in range(50)]
        assert len(nonces) == 3
        assert nonces.check(self.credentials(first), 0.0) is NonceState.UNKNOWN
        nonces.issue(1000.0)
        assert len(nonces) == 1
