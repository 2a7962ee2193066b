"""How a section refuses a combination of values, naming the field that has to change."""

from __future__ import annotations

from typing import NoReturn

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

COMBINATION = "combination"


def refuse(field: str, message: str) -> NoReturn:
    """Raise the error that the loader reports at ``field``'s place in the file."""
    raise PydanticCustomError(COMBINATION, "{message}", {"field": field, "message": message})


def need(section: BaseModel, field: str, *, because: str) -> None:
    """Refuse the section unless ``field`` has a value."""
    if getattr(section, field) is None:
        name = type(section).__name__.lower()
        refuse(field, f"{because}, so {name}.{field} must be set too")
