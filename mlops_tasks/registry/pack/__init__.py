"""Evidence packs: what is known of a promoted version, in one signed file, checked offline."""

from mlops_tasks.registry.pack.archive import archive_bytes
from mlops_tasks.registry.pack.contents import Contents, gather
from mlops_tasks.registry.pack.files import pack_files
from mlops_tasks.registry.pack.signing import PublicKey, SigningKey
from mlops_tasks.registry.pack.verification import (
    Answer,
    PackCheck,
    PackProblem,
    read_pack,
    verify_pack,
)

__all__ = [
    "Answer",
    "Contents",
    "PackCheck",
    "PackProblem",
    "PublicKey",
    "SigningKey",
    "archive_bytes",
    "gather",
    "pack_files",
    "read_pack",
    "verify_pack",
]
