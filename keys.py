"""The secret keys: they sign sessions and encrypt the credentials of docks.

They come from `SLIPWAY_SECRET_KEY`, or from the file `secret.key` in the home folder, which whoever needs it first
makes. Either may hold several keys, separated by white space: the first one signs and encrypts, the others still
open what they once closed, so that a key can be changed without signing anybody out.
"""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config import SettingError, Settings

KEY_FILE = "secret.key"
SHORTEST_KEY = 32


def secret_key(settings: Settings) -> str:
    """The key that signs sessions."""
    return secret_keys(settings)[0]


def secret_keys(settings: Settings) -> list[str]:
    """All keys, the one in use first.

    Raises `SettingError` where a key is too short to be a secret, or the key file cannot be read or made.
    """
    if settings.secret_key:
        return _checked(settings.secret_key, "SLIPWAY_SECRET_KEY")
    path = settings.home_path / KEY_FILE
    try:
        if not path.exists():
            _make(path)
        return _checked(path.read_text("ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(
            f"The key file {path} cannot be used: {error}. Make the folder writable, name another one in "
            "SLIPWAY_HOME, or set SLIPWAY_SECRET_KEY."
        ) from None


def credentials_cipher(settings: Settings) -> MultiFernet:
    """Encrypts with the key in use, decrypts with any of the keys."""
    return MultiFernet([Fernet(_derived(key, b"slipway credentials")) for key in secret_keys(settings)])


def _derived(key: str, purpose: bytes) -> bytes:
    # A key of its own for each purpose: what leaks of one says nothing of the other.
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(key.encode())
    return base64.urlsafe_b64encode(derived)


def _checked(text: str, where: str) -> list[str]:
    keys = text.split()
    if not keys:
        raise SettingError(f"{where} holds no key. Remove it, and a new one is made at the next start.")
    for key in keys:
        if len(key) < SHORTEST_KEY:
            raise SettingError(
                f"A key in {where} has {len(key)} characters: expected at least {SHORTEST_KEY}. "
                "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
    return keys


def _make(path: Path) -> None:
    """Make the key file, for its owner's eyes only. Of two processes that start at once, one file wins whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600.
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError:
            # A file system without hard links.
            if not path.exists():
                Path(draft).rename(path)
                return
    finally:
        Path(draft).unlink(missing_ok=True)
