"""The signature under a pack: an EC key of the installation, and model-signing."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EvidencePackError
from mlops_tasks.storage import create_file, replace_file

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "PublicKey",
    "SigningKey",
    "missing_libraries",
    "public_file",
    "signature_fits",
    "signed_by",
]

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_SIGNED, _SIGNATURE, _KEY = "SHA256SUMS", "SHA256SUMS.sig", "public_key.pem"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a signature is checked with.

    Attributes
    ----------
    pem : bytes
        The key as text, the same for the same key.
    """

    pem: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of that text, as ``sha256sum public_key.pem`` prints it."""
        return hashlib.sha256(self.pem).hexdigest()

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """Read a public key from a file.

        Raises
        ------
        EvidencePackError
            If there is none in it.
        """
        try:
            return cls.of(path.read_bytes(), str(path))
        except OSError as error:
            raise EvidencePackError(f"the key {path} cannot be read: {error.strerror}") from error

    @classmethod
    def of(cls, pem: bytes, where: str) -> PublicKey:
        """Return the key that a text holds; `where` names it in errors."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            return _public(load_pem_public_key(pem), where)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise EvidencePackError(
                f"{where} holds no public key in PEM; give the file public_key.pem of the "
                "installation that made the pack, or its fingerprint"
            ) from error


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private key of an installation, in a file that no pack and no log ever shows.

    Attributes
    ----------
    path : Path
        The file.
    public : PublicKey
        What others check with.
    """

    path: Path
    public: PublicKey

    @classmethod
    def at(cls, path: Path) -> SigningKey:
        """Return the key of a file, made there at its first use, readable by its owner only.

        Beside it lies its public key, for those who check, see `public_file`.

        Parameters
        ----------
        path : Path
            PEM, not encrypted, of one of the curves P-256, P-384 and P-521. A new one is P-256.

        Raises
        ------
        EvidencePackError
            If the file holds no such key, or everybody may read it.
        """
        try:
            if not path.exists():
                create_file(path, _new_key(), private=True)  # of two at once the first stays
        except OSError as error:
            raise EvidencePackError(
                f"no key to sign evidence packs with can be made at {path}: {error.strerror}; "
                "name a file in [mlops] evidence_key that the tasks may write, or that is there"
            ) from error
        key, shown = cls(path, _public_of(path)), public_file(path)
        with suppress(OSError):  # nobody writes beside a mounted secret; each pack has it, too
            if not shown.exists() or shown.read_bytes() != key.public.pem:
                replace_file(shown, key.public.pem)
        return key

    def sign(self, content: bytes) -> bytes:
        """Return the signature of a content: a Sigstore bundle, JSON.

        Raises
        ------
        EvidencePackError
            If the libraries that sign are not installed.
        """
        signing = _library("signing")
        with tempfile.TemporaryDirectory() as folder:
            signed, signature = Path(folder, _SIGNED), Path(folder, _SIGNATURE)
            signed.write_bytes(content)
            config = signing.Config().use_elliptic_key_signer(private_key=self.path)
            config.sign(signed, signature)
            return signature.read_bytes()


def missing_libraries() -> str:
    """Return which libraries of the extra ``evidence`` are not installed; empty if all are."""
    from importlib.util import find_spec

    wanted = {"model_signing": "model-signing", "OpenSSL": "pyopenssl"}
    wanted |= {"cyclonedx": "cyclonedx-python-lib"}
    return ", ".join(name for module, name in wanted.items() if find_spec(module) is None)


def public_file(private: Path) -> Path:
    """Return where the public key of a private one lies."""
    return private.with_name(f"{private.stem}.pub.pem")


def signed_by(signature: bytes) -> str:
    """Return the fingerprint of the key that a signature names; empty where it names none."""
    try:
        hint = json.loads(signature)["verificationMaterial"]["publicKey"]["hint"]
    except (ValueError, LookupError, TypeError):
        return ""
    return hint if isinstance(hint, str) and _FINGERPRINT.fullmatch(hint) else ""


def signature_fits(content: bytes, signature: bytes, key: PublicKey) -> bool:
    """Return whether a signature is one of this content, by this key.

    Raises
    ------
    EvidencePackError
        If the libraries that check it are not installed.
    """
    verifying = _library("verifying")
    if signed_by(signature) != key.fingerprint:
        return False
    with tempfile.TemporaryDirectory() as folder:
        for name, part in ((_SIGNED, content), (_SIGNATURE, signature), (_KEY, key.pem)):
            Path(folder, name).write_bytes(part)
        config = verifying.Config().use_elliptic_key_verifier(public_key=Path(folder, _KEY))
        try:
            config.verify(Path(folder, _SIGNED), Path(folder, _SIGNATURE))
        except Exception:  # whatever a forged bundle makes the parsers raise: it does not fit
            return False
    return True


def _library(name: str) -> ModuleType:
    """Import a part of model-signing, which is heavy and an extra."""
    import importlib

    try:
        return importlib.import_module(f"model_signing.{name}")
    except ImportError as error:
        raise EvidencePackError(
            f"evidence packs are signed with libraries that are not installed here ({error}): "
            "pip install 'mlops-airflow[evidence]'"
        ) from error


def _new_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _public_of(path: Path) -> PublicKey:
    """Return the public key of a private one, whose content no error shows."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as error:
        raise EvidencePackError(
            f"the key {path} that signs evidence packs cannot be read: {error.strerror}; give it "
            "to the user of the tasks, or name another one in [mlops] evidence_key"
        ) from error
    if mode & stat.S_IRWXO:
        raise EvidencePackError(
            f"the key {path} that signs evidence packs is open to every user of this machine, so "
            f"a signature by it proves nothing; make a new one, or chmod 600 {path} if nobody "
            "has read it"
        )
    try:
        return _public(load_pem_private_key(content, password=None).public_key(), str(path))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise EvidencePackError(
            f"{path} holds no private key that can sign evidence packs: PEM, not encrypted, of the "
            "curve P-256, P-384 or P-521; name another file in [mlops] evidence_key, or remove it "
            "to have a new key made"
        ) from None


def _public(key: Any, where: str) -> PublicKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in {
        "secp256r1",
        "secp384r1",
        "secp521r1",
    }:
        raise ValueError(f"{where} is no key of the curves P-256, P-384 and P-521")
    return PublicKey(
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
