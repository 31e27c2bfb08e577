"""What a command leaves behind once it has moved a champion: an anchor, and the version's pack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_airflow.commands.output import output

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec
    from mlops_tasks.steps.pack import EvidencePack

__all__ = ["anchor_head", "keep_evidence", "make_evidence_pack"]


def keep_evidence(name: str, version: str, *, command: str) -> str:
    """Anchor the ledger's head and make the pack of a champion; what is done stays if that fails.

    Parameters
    ----------
    name, version : str
        The model and its new champion.
    command : str
        Named in the ledger.

    Returns
    -------
    str
        Where the pack is; or, said on stderr, empty where there is none.
    """
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.registry.pack.signing import missing_libraries

    try:
        anchor_head()
        if missing := missing_libraries():
            _warn(f"No pack: {missing} not installed; pip install 'mlops-airflow[evidence]'")
            return ""
        made, root = make_evidence_pack(name, version, command=command)
        anchor_head()  # behind the entry of the pack
    except (MlopsError, OSError) as error:
        _warn(f"The champion was moved, and its evidence is not complete: {error}")
        _warn(f"Once that is repaired: mlops pack make {name}@{version}")
        return ""
    return str(root / made.file)


def anchor_head() -> None:
    """Write the head of the ledger down in the lake: or the end of its chain could be cut off."""
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_tasks.registry.ledger.anchors import write_anchor

    write_anchor(LakeHook().get_conn(), LedgerHook().get_ledger().head())


def make_evidence_pack(name: str, version: str, *, command: str) -> tuple[EvidencePack, Path]:
    """Make a pack, write its digest down, and return it with the root of the lake."""
    from mlops_airflow.hooks.database import LedgerHook
    from mlops_airflow.hooks.evidence_key import evidence_key
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_airflow.hooks.mlflow import MlflowHook
    from mlops_tasks.exceptions import NoChampionError
    from mlops_tasks.registry.ledger import EvidenceKind
    from mlops_tasks.registry.pack import gather
    from mlops_tasks.serialization import to_json
    from mlops_tasks.steps.pack import make_pack

    lake, ledger = LakeHook().get_conn(), LedgerHook().get_ledger()
    tracking = MlflowHook().get_conn()
    if not version:
        champion = ledger.champion(name)
        if champion is None:
            raise NoChampionError(f"model {name!r} has no champion; name a version: {name}@VERSION")
        version = champion.version
    contents = gather(name, version, _spec(name), lake=lake, tracking=tracking, ledger=ledger)
    made = make_pack(contents, lake=lake, tracking=tracking, key=evidence_key())
    about = {"model": name, "kind": EvidenceKind.PACK, "key": version}
    ledger.record(**about, evidence=to_json(made), dag_run=command)
    return made, lake.root


def _spec(name: str) -> ModelSpec | None:
    """Return the spec of a project's model; None for a model of an ordinary Dag, which has none."""
    from mlops_airflow.projects import find_model
    from mlops_tasks.exceptions import SpecError

    try:
        return find_model(name)
    except SpecError as error:
        _warn(f"Without a spec: {error}")
        return None


def _warn(text: str) -> None:
    output(stderr=True).print(text, markup=False, soft_wrap=True)
