"""What docker-compose.yml must keep, as a list of complaints; no container engine is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml
from compose_spec import PyCompose

Compose = dict[str, Any]

VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?::(?P<how>[-?])(?P<rest>[^}]*))?\})")
SECRET_NAME = re.compile(r"PASSWORD(?!S_FILE)|SECRET|FERNET|TOKEN", re.IGNORECASE)
PASSWORD_IN_URL = re.compile(r"://[^:@/\s]*:(?P<password>[^@/\s]+)@")
PASSWORD_IN_JSON = re.compile(r'"password":\s*"(?P<password>[^"]*)"')
REQUIRED = re.compile(r"\$\{\w+:\?[^}]*\}")
#: Capabilities an image needs to hand its data folder to its own user and to become that user.
STARTUP_CAPABILITIES = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}


def required_variables(text: str) -> set[str]:
    """Return the variables without which compose refuses to start."""
    return {found["name"] for found in VARIABLE.finditer(text) if found["how"] == "?"}


def interpolate(text: str, env: Mapping[str, str]) -> str:
    """Fill in variables the way compose does."""

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        if found["name"] in env:
            return env[found["name"]]
        if found["how"] == "-":
            return found["rest"]
        raise KeyError(f"{found['name']}: {found['rest'] or 'not set'}")

    return VARIABLE.sub(value, text)


def load(text: str) -> Compose:
    """Parse a compose file and resolve its merge keys; fragments (``x-...``) are left out."""
    parsed = yaml.safe_load(text)
    return {key: part for key, part in parsed.items() if not key.startswith("x-")}


def filled(raw: Compose, env: Mapping[str, str]) -> Compose:
    """Return the file with every variable filled in, value by value."""

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: walk(child) for key, child in node.items()}
        if isinstance(node, list):
            return [walk(child) for child in node]
        return interpolate(node, env) if isinstance(node, str) else node

    result: Compose = walk(raw)
    return result


def violations(raw: Compose, env: Mapping[str, str]) -> list[str]:
    """Return everything wrong with a compose file, the specification's rules and ours."""
    return [
        *specification(filled(raw, env)),
        *references(raw),
        *order(raw),
        *recovery(raw),
        *exposure(raw, env),
        *secrets(raw),
        *hardening(raw),
        *images(filled(raw, env)),
    ]


def specification(compose: Compose) -> Iterator[str]:
    try:
        PyCompose.from_yaml(yaml.safe_dump(compose)).validate()
    except Exception as error:
        yield f"specification: {error}"


def services(raw: Compose) -> dict[str, Any]:
    found: dict[str, Any] = raw["services"]
    return found


def dependencies(service: Mapping[str, Any]) -> dict[str, Any]:
    declared = service.get("depends_on", {})
    return declared if isinstance(declared, dict) else {name: {} for name in declared}


def named_volumes(service: Mapping[str, Any]) -> set[str]:
    sources = {str(volume).partition(":")[0] for volume in service.get("volumes", ())}
    return {source for source in sources if not source.startswith((".", "/", "~"))}


def references(raw: Compose) -> Iterator[str]:
    used = set()
    for name, service in services(raw).items():
        for target in dependencies(service).keys() - services(raw).keys():
            yield f"{name}: depends on {target}, which does not exist"
        used |= named_volumes(service)
        for volume in named_volumes(service) - raw.get("volumes", {}).keys():
            yield f"{name}: volume {volume} is not declared"
        for network in set(service.get("networks", ())) - raw.get("networks", {}).keys():
            yield f"{name}: network {network} is not declared"
    for volume in raw.get("volumes", {}).keys() - used:
        yield f"volume {volume} is not used"


def order(raw: Compose) -> Iterator[str]:
    graph = {name: set(dependencies(service)) for name, service in services(raw).items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        yield f"services wait for each other: {error.args[1]}"
    for name, service in services(raw).items():
        for target, how in dependencies(service).items():
            condition = how.get("condition")
            other = services(raw).get(target, {})
            if condition == "service_healthy" and "healthcheck" not in other:
                yield f"{name}: waits for the health of {target}, which has no healthcheck"
            if condition == "service_completed_successfully" and not runs_once(other):
                yield f"{name}: waits for the end of {target}, which never ends"


def runs_once(service: Mapping[str, Any]) -> bool:
    return service.get("restart") == "on-failure"


def recovery(raw: Compose) -> Iterator[str]:
    for name, service in services(raw).items():
        if "restart" not in service:
            yield f"{name}: no restart policy; scheduler and dag-processor exit with the database"
        if "healthcheck" not in service and not runs_once(service):
            yield f"{name}: no healthcheck"


def exposure(raw: Compose, env: Mapping[str, str]) -> Iterator[str]:
    for name, service in services(raw).items():
        for port in service.get("ports", ()):
            if not interpolate(str(port), env).startswith("127.0.0.1:"):
                yield f"{name}: port {port} is open to the network"


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in service.get("environment", {}).items()}


def secrets(raw: Compose) -> Iterator[str]:
    for name, service in services(raw).items():
        for key, value in environment(service).items():
            if SECRET_NAME.search(key) and not REQUIRED.fullmatch(value):
                yield f"{name}: {key} is not taken from the environment as ${{...:?...}}"
            # A variable's own text may hold a colon, so it is set aside first.
            plain = REQUIRED.sub("<variable>", value)
            for pattern in (PASSWORD_IN_URL, PASSWORD_IN_JSON):
                found = pattern.search(plain)
                if found and found["password"] != "<variable>":
                    yield f"{name}: {key} holds a literal password"
            if re.search(r"postgresql://", value):
                yield f"{name}: {key} leaves the Postgres driver to chance"


def hardening(raw: Compose) -> Iterator[str]:
    for name, service in services(raw).items():
        if service.get("cap_drop") != ["ALL"]:
            yield f"{name}: keeps capabilities"
        if not service.get("read_only"):
            yield f"{name}: writable root file system"
        if "no-new-privileges:true" not in service.get("security_opt", ()):
            yield f"{name}: may gain privileges"
        if service.get("privileged") or service.get("network_mode") == "host":
            yield f"{name}: runs as part of the host"
        if extra := set(service.get("cap_add", ())) - STARTUP_CAPABILITIES:
            yield f"{name}: asks for {sorted(extra)}"
        if not service.get("cap_add") and not re.match(r"[1-9]", str(service.get("user", ""))):
            yield f"{name}: runs as root"


def images(compose: Compose) -> Iterator[str]:
    for name, service in services(compose).items():
        tag = str(service["image"]).rpartition(":")[2]
        if not re.match(r"v?\d+\.\d+", tag):
            yield f"{name}: image {service['image']} is not pinned"
