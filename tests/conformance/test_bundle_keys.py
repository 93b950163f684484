"""Keys: one for each installation, whoever comes first; private halves are never shown."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from conformance.bundle import fingerprint, installation_key, load_key, trusted_fingerprint
from conformance.bundle.keys import KEY_FILE, signed_by
from stationgate.exits import EnvironmentFault, Fault, UsageFault
from stationgate.home import HOME_VARIABLE, home

from .bundles import KEY

WINDOWS = sys.platform == "win32"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "家" / "stationgate"
    monkeypatch.setenv(HOME_VARIABLE, str(folder))
    return folder


def pem(private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


class TestHome:
    def test_is_made_for_its_owner(self, own_home: Path) -> None:
        assert home() == own_home
        assert own_home.is_dir()
        if not WINDOWS:
            assert own_home.stat().st_mode & 0o777 == 0o700
        assert home() == own_home

    def test_without_the_variable_it_is_where_programs_keep_things(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[Path] = []
        monkeypatch.delenv(HOME_VARIABLE)
        monkeypatch.setattr(Path, "mkdir", lambda self, **options: made.append(self))
        assert home().name.lower() in ("stationgate", ".stationgate")
        assert home() in made

    def test_a_file_in_its_place(self, own_home: Path) -> None:
        own_home.parent.mkdir()
        own_home.write_bytes(b"")
        with pytest.raises(EnvironmentFault, match="cannot make the folder"):
            home()


class TestInstallationKey:
    def test_is_made_once(self, own_home: Path) -> None:
        first = installation_key()
        assert installation_key().public == first.public
        assert [path.name for path in own_home.iterdir()] == [KEY_FILE]
        if not WINDOWS:
            assert (own_home / KEY_FILE).stat().st_mode & 0o777 == 0o600

    def test_processes_that_race_get_the_same(self, own_home: Path) -> None:
        script = "from conformance.bundle import installation_key; print(installation_key().fingerprint)"
        started = [
            subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ) for _ in "abc"
        ]
        printed = {process.communicate(timeout=60)[0] for process in started}
        assert len(printed) == 1
        assert printed == {f"{installation_key().fingerprint}{os.linesep}".encode()}
        assert [path.name for path in own_home.iterdir()] == [KEY_FILE]

    @pytest.mark.parametrize("links", [True, False])
    def test_whoever_is_second_takes_the_key_of_the_first(
        self, own_home: Path, monkeypatch: pytest.MonkeyPatch, links: bool
    ) -> None:
        """The other process writes its key while this one makes its own."""
        home()
        link = os.link

        def late(source: str, target: Path) -> None:
            Path(target).write_bytes(pem(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))))
            if not links:
                raise OSError(95, "Operation not supported")
            link(source, target)

        monkeypatch.setattr("os.link", late)
        assert installation_key().public == KEY.public
        assert [path.name for path in own_home.iterdir()] == [KEY_FILE]

    def test_without_hard_links(self, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(source: str, target: Path) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr("os.link", unknown)
        assert installation_key().public == installation_key().public
        assert [path.name for path in own_home.iterdir()] == [KEY_FILE]

    def test_damaged(self, own_home: Path) -> None:
        home()
        (own_home / KEY_FILE).write_bytes(b"")
        with pytest.raises(UsageFault, match="expected a private key in PEM"):
            installation_key()

    def test_cannot_be_written(self, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(EnvironmentFault) as raised:
            installation_key()
        assert "--sign-key" in raised.value.hint
        assert list(own_home.iterdir()) == []


class TestOwnKey:
    def test_is_read(self, tmp_path: Path) -> None:
        private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        (tmp_path / "钥匙.pem").write_bytes(pem(private))
        key = load_key(tmp_path / "钥匙.pem")
        assert key.public == KEY.public
        assert signed_by(key.public, key.sign(b"x"), b"x")
        assert not signed_by(key.public, key.sign(b"x"), b"y")
        assert not signed_by(b"short", key.sign(b"x"), b"x")

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "expected a private key in PEM"),
            (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "expected a private key in PEM"),
            (pem(ed25519.Ed25519PrivateKey.generate(), b"secret"), "locked by a password"),
            (pem(ec.generate_private_key(ec.SECP256R1())), "expected an Ed25519 key"),
            (b"x" * 100_000, "expected a private key in PEM"),
        ],
    )
    def test_is_no_key(self, content: bytes, why: str, tmp_path: Path) -> None:
        (tmp_path / "key.pem").write_bytes(content)
        with pytest.raises(UsageFault, match=why) as raised:
            load_key(tmp_path / "key.pem")
        assert content[30:60].decode() not in f"{raised.value} {raised.value.hint}" or not content

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            load_key(tmp_path / "none")

    def test_private_half_is_never_shown(self, own_home: Path) -> None:
        key = installation_key()
        secret = (own_home / KEY_FILE).read_text().splitlines()[1]
        assert secret not in f"{key!r} {key} {key.fingerprint}"


class TestTrusted:
    def test_fingerprint_is_the_hash_in_groups(self) -> None:
        text = hashlib.sha256(KEY.public).hexdigest()
        assert KEY.fingerprint.replace(" ", "") == text
        assert {len(group) for group in KEY.fingerprint.split()} == {4}

    @pytest.mark.parametrize("separator", ["", " ", ":", "-", "\n"])
    def test_fingerprint_however_it_was_copied(self, separator: str) -> None:
        given = separator.join(KEY.fingerprint.upper().split())
        assert trusted_fingerprint(given) == KEY.fingerprint

    def test_public_key_in_pem(self, tmp_path: Path) -> None:
        public = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
        path = tmp_path / "实验室.pem"
        path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        assert trusted_fingerprint(str(path)) == KEY.fingerprint == fingerprint(KEY.public)

    def test_anything_else(self, tmp_path: Path) -> None:
        private = tmp_path / "private.pem"
        private.write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
        other = tmp_path / "ec.pem"
        curve = ec.generate_private_key(ec.SECP256R1()).public_key()
        other.write_bytes(curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        for given, why in (
            ("abcd", "no such file"),
            (KEY.fingerprint[:-1], "no such file"),
            (str(private), "no public key"),
            (str(other), "no Ed25519 key"),
        ):
            with pytest.raises(Fault, match=why) as raised:
                trusted_fingerprint(given)
            assert "64 hexadecimal digits" in raised.value.hint
