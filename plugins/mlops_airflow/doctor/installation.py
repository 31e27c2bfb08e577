"""What is installed: Python, packages, and this package as provider and plugin of Airflow."""

from __future__ import annotations

import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_airflow.doctor.finding import alarm, cannot_tell, fine, setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement

    from mlops_airflow.doctor.finding import Finding

__all__ = ["packages", "plugin", "plugins_folder", "provider", "python"]

_PACKAGE = "mlops-airflow"
_OLDEST, _NEWEST_TRIED = (3, 11), (3, 11)


def python() -> Iterator[Finding]:
    """Look at the version of Python."""
    found, place = f"Python {sys.version.split()[0]}", sys.executable
    if sys.version_info[:2] < _OLDEST:
        yield alarm("python", found, place, "use Python 3.11 or newer")
    elif sys.version_info[:2] > _NEWEST_TRIED:
        yield cannot_tell("python", f"{found}: the loop was tried with 3.11", place)
    else:
        yield fine("python", found, place)


def packages() -> Iterator[Finding]:
    """Compare what is installed with what this version needs, optional packages included."""
    wrong, n_right = [], 0
    for requirement in _requirements():
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            if not _is_optional(requirement):
                wrong.append(f"{requirement.name} is missing, needed is {requirement.specifier}")
            continue
        if requirement.specifier.contains(found, prereleases=True):
            n_right += 1
        else:
            wrong.append(f"{requirement.name} {found} does not fit {requirement.specifier}")
    place = f"{_PACKAGE} {version(_PACKAGE)}"
    if wrong:
        again = f'pip install -c constraints.txt "{_PACKAGE}=={version(_PACKAGE)}"'
        yield alarm("packages", "; ".join(dict.fromkeys(wrong)), place, again)
    else:
        yield fine(
            "packages", f"{n_right} packages fit, Airflow {version('apache-airflow')}", place
        )


def _requirements() -> Iterator[Requirement]:
    from packaging.requirements import Requirement

    for line in requires(_PACKAGE) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        extras = _extras(requirement) or [""]
        if "dev" in extras or requirement.name == _PACKAGE:
            continue
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def _extras(requirement: Requirement) -> list[str]:
    import re

    return re.findall(r"extra == ['\"]([\w.-]+)['\"]", str(requirement.marker or ""))


def _is_optional(requirement: Requirement) -> bool:
    return bool(_extras(requirement))


def provider() -> Iterator[Finding]:
    """Look whether Airflow knows the connection types, and whose hooks they lead to."""
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    from mlops_airflow.provider import get_provider_info

    place = "entry point apache_airflow_provider"
    hooks = ProvidersManagerTaskRuntime().hooks  # type: ignore[no-untyped-call]
    if not any((hook and hook.package_name) == _PACKAGE for hook in hooks.values()):
        again = f"pip install --force-reinstall --no-deps {_PACKAGE}"
        yield alarm("provider", "Airflow does not know this package", place, again)
        return
    taken = []
    for ours in get_provider_info()["connection-types"]:
        hook = hooks.get(ours["connection-type"])
        if hook is None or hook.hook_class_name != ours["hook-class-name"]:
            other = "nobody" if hook is None else hook.package_name
            taken.append(f"{ours['connection-type']} belongs to {other}")
    if taken:
        fix = "uninstall the other package; of two hooks of one type Airflow takes either"
        yield alarm("provider", "connection types: " + ", ".join(taken), place, fix)
    else:
        names = [one["connection-type"] for one in get_provider_info()["connection-types"]]
        yield fine("provider", f"connection types {', '.join(names)}", place)


def plugin() -> Iterator[Finding]:
    """Look whether Airflow loads the plugin: once, and without an error."""
    from airflow import plugins_manager

    place = "entry point airflow.plugins"
    values = [f"{one.name} = {one.value}" for one in entry_points(group="airflow.plugins")]
    ours = [line for line in values if "mlops_airflow.plugin:" in line]
    if len(ours) != 1:
        twice = Counter(ours).most_common(1)
        found = "is installed twice" if twice else "has no entry point: it is not installed"
        again = f"pip uninstall {_PACKAGE}, until pip knows of none, then install it once"
        yield alarm("plugin", f"{_PACKAGE} {found}", place, again)
        return
    plugins, errors = plugins_manager._get_plugins()
    if "mlops" not in {one.name for one in plugins}:
        why = "; ".join(f"{name}: {error}" for name, error in errors.items()) or "no reason given"
        yield alarm("plugin", f"Airflow does not load it: {why}", place, "airflow plugins -v")
    elif mine := {name: error for name, error in errors.items() if "mlops" in name}:
        text = "; ".join(f"{name}: {error}" for name, error in mine.items())
        yield alarm("plugin", f"loaded, and tried again: {text}", place, _shield())
    else:
        yield fine("plugin", "loaded once, by its entry point", place)


def plugins_folder() -> Iterator[Finding]:
    """Look whether Airflow runs files of this package from its plugins folder a second time."""
    from airflow.sdk import conf

    folder = Path(conf.get("core", "plugins_folder"))
    place = f"[core] plugins_folder: {folder}"
    if not folder.is_dir():
        yield fine("plugins folder", "there is none", place)
        return
    from airflow._shared.module_loading import find_path_from_directory

    syntax = conf.get("core", "dag_ignore_file_syntax", fallback="glob")
    scanned = (Path(path) for path in find_path_from_directory(folder, ".airflowignore", syntax))
    ours = [path for path in scanned if {"mlops_airflow", "mlops_tasks"} & set(path.parts)]
    if any(path.suffix == ".py" for path in ours):
        found = f"Airflow runs {len(ours)} files of this package under their bare names"
        yield alarm("plugins folder", found, place, _shield())
    else:
        yield fine("plugins folder", "holds no file of this package that Airflow would run", place)


def _shield() -> str:
    return (
        "remove mlops_airflow from the plugins folder, or write the line 'mlops_airflow/' into "
        f"its .airflowignore, or {setting('core', 'plugins_folder', '<another folder>')}"
    )
