"""The bill of materials: model, data and libraries as CycloneDX 1.6, with the model card in it."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EvidencePackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyclonedx.model.component import Component

    from mlops_tasks.registry.pack.contents import Contents

__all__ = ["bill_of_materials"]

# Names a pack's bill the same wherever it is made: any constant does.
_NAMESPACE = uuid.UUID("6a1f2f6e-0c53-5d3b-9c58-3b7f6d0f5f57")
_TASKS = {"regression": "regression"}
# What the model's own files are read and asked with, beside its booster.
_DIRECT = {"scikit-learn", "skops", "numpy", "pandas", "lightgbm", "xgboost", "xgboost-cpu"}


def bill_of_materials(contents: Contents) -> str:
    """Return the bill as JSON; the same contents give the same text.

    Raises
    ------
    EvidencePackError
        If the library that writes it is not installed.
    """
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.model.tool import ToolRepository
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError as error:
        raise EvidencePackError(
            f"the bill of materials is written by a library that is not installed here ({error}): "
            "pip install 'mlops-airflow[evidence]'"
        ) from error
    about = contents.identity
    maker, _, release = about["made_by"].partition(" ")
    tool = Component(type=ComponentType.APPLICATION, name=maker, version=release)
    model = _model(about)
    data = [_data(pin) for pin in _pins(contents.pins)]
    libraries = [_library(one) for one in contents.environment.get("distributions", ())]
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, json.dumps(about, sort_keys=True)),
        metadata=BomMetaData(
            component=model,
            tools=ToolRepository(components=[tool]),
            timestamp=datetime.fromisoformat(about["state_of"]),
        ),
        components=[*data, *libraries],
    )
    direct = [one for one in libraries if one.name in _DIRECT]
    bom.register_dependency(model, [*data, *direct])
    made = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library knows no model card and no data yet; the format has both since 1.5.
    made["metadata"]["component"]["modelCard"] = _model_card(contents)
    described = {pin["ref"]: pin for pin in _pins(contents.pins)}
    for one in made.get("components", ()):
        if pin := described.get(one["bom-ref"]):
            one["data"] = [_described(pin, contents)]
    return json.dumps(made, indent=1, sort_keys=True) + "\n"


def _pins(pins: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each pinned table once, with the name that the bill has for it."""
    found = [*pins.get("inputs", {}).values(), *([pins["labels"]] if "labels" in pins else [])]
    return list(
        {f"data:{pin['table']}": pin | {"ref": f"data:{pin['table']}"} for pin in found}.values()
    )


def _model(about: Mapping[str, Any]) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=about["model"],
        version=about["version"],
        bom_ref=f"model:{about['model']}@{about['version']}",
        properties=[
            Property(name="mlops:files_digest", value=about["files_digest"]),
            Property(name="mlops:run_id", value=about["run_id"]),
        ],
    )


def _data(pin: Mapping[str, Any]) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.DATA,
        name=pin["table"],
        version=str(max(pin["versions"], default=-1)),
        bom_ref=pin["ref"],
        properties=[Property(name="mlops:content_digest", value=pin["digest"])],
    )


def _library(one: Mapping[str, Any]) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    name, version = one["name"], one["version"]
    purl = PackageURL("pypi", name=name, version=version)
    return Component(
        type=ComponentType.LIBRARY, name=name, version=version, purl=purl, bom_ref=str(purl)
    )


def _described(pin: Mapping[str, Any], contents: Contents) -> dict[str, Any]:
    datasets = contents.specification.get("datasets", ())
    spec: dict[str, Any] = next((one for one in datasets if one["name"] == pin["table"]), {})
    said: dict[str, Any] = {
        "type": "dataset",
        "name": pin["table"],
        "description": f"{pin['n_rows']} rows of {pin['first']} to {pin['last']}",
    }
    if spec.get("personal"):
        said["sensitiveData"] = [f"column {name}" for name in spec["personal"]]
    if spec.get("owner"):
        said["governance"] = {"owners": [{"organization": {"name": spec["owner"]}}]}
    return said


def _model_card(contents: Contents) -> dict[str, Any]:
    spec, use = contents.specification, contents.intended_use
    kind = spec.get("problem_type", "")
    parameters: dict[str, Any] = {
        "approach": {"type": "supervised"},
        "datasets": [{"ref": pin["ref"]} for pin in _pins(contents.pins)],
    }
    if kind:
        parameters["task"] = _TASKS.get(kind, "classification")
    if spec.get("estimator"):
        parameters["architectureFamily"] = spec["estimator"]
    considerations = {
        "users": [use["users"]] if use.get("users") else [],
        "useCases": [use["purpose"]] if use.get("purpose") else [],
        "technicalLimitations": [use["limitations"]] if use.get("limitations") else [],
    }
    return {
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": _metrics(contents.gate)},
        "considerations": {name: said for name, said in considerations.items() if said},
    }


def _metrics(gate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was measured on the evaluation window, with an interval where there is one."""
    values = dict(gate.get("challenger", {}))
    bounds = {
        name: (values.pop(f"{name}_lower"), values.pop(f"{name}_upper"))
        for name in list(values)
        if f"{name}_lower" in values and f"{name}_upper" in values
    }
    metrics = []
    for name, value in sorted(values.items()):
        one: dict[str, Any] = {"type": name, "value": repr(value)}
        if name in bounds:
            low, high = bounds[name]
            one["confidenceInterval"] = {"lowerBound": repr(low), "upperBound": repr(high)}
        metrics.append(one)
    return metrics
