"""Reading what a command of the cloud carries."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

_T = TypeVar("_T", bound=BaseModel)


def read(model: type[_T], data: Any) -> _T:
    """The command's data as its model.  Errors: ValueError, which names the field and repeats
    nothing of what was sent."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "data"
        raise ValueError(f"{where[:64]}: {first['msg']}") from None
