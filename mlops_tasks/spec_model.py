"""What every spec is built on: frozen, strict about unknown fields, errors in plain words."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from mlops_tasks.exceptions import SpecError

__all__ = ["Column", "SpecModel"]

Column = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class SpecModel(BaseModel):
    """Base of all specs. Frozen, and strict about unknown fields: a typo must not pass silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise SpecError(_explain(type(self).__name__, fields, error)) from None


def _explain(kind: str, fields: dict[str, Any], error: ValidationError) -> str:
    name = fields.get("name", "?")
    lines = [
        f"  {'.'.join(str(part) for part in item['loc']) or 'spec'}: {item['msg']}"
        for item in error.errors(include_url=False)
    ]
    return f"{kind} {name!r} cannot be used:\n" + "\n".join(lines)
