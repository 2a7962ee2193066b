"""The settings that the cloud may change, and how its values stand to the box's own.

Order, weakest first: the default, the cloud, the box's own file, credentials, environment, command
line.  Whoever stands at the box can always overrule the cloud, also when it isn't reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final

from pydantic import TypeAdapter, ValidationError

from hub.config.fields import all_settings, nearest
from hub.config.loader import Loaded
from hub.config.models import Settings
from hub.config.problems import Origin

MUST_END: Final = frozenset({"log.level"})
"""Settings that the cloud may change for a while only."""
KEYS: Final = (
    "log.level",
    "cloud.batch_events",
    "cloud.linger_ms",
    "cloud.poll_wait_s",
    "cloud.digest_every_s",
    "cloud.dataset_every_s",
    "stock.hold_ttl_s",
    "staff.sign_in_ttl_s",
    "pairing.code_ttl_s",
    "pairing.tries",
    "printing.receipts",
)
"""All of them take effect without a restart.  Addresses, keys, credentials, certificates and paths
are never among them: a wrong one would cut the box off from whoever could put it right."""
_LONGEST_S: Final = {"cloud.digest_every_s": 86_400, "cloud.dataset_every_s": 3600}
_MOST: Final = {**_LONGEST_S, "cloud.poll_wait_s": 50}
"""Bounds that are narrower from afar than in the file."""


class BadSetting(ValueError):
    """Not a setting for the cloud, or not a value for it; the text names the next step."""


@dataclass(frozen=True, slots=True)
class RemoteValue:
    """A value of the cloud that is in force: where it came from."""

    value: Any
    command_id: str


def check(key: str, value: Any, *, ends: bool) -> Any:
    """The value as the setting has it.  Raises :class:`BadSetting`."""
    if key not in KEYS:
        near = nearest(key, KEYS)
        hint = f' Did you mean "{near}"?' if near else ""
        raise BadSetting(f"This setting can't be changed from afar: {key[:64]}.{hint}")
    setting = all_settings()[key]
    if key in MUST_END and value is not None and not ends:
        raise BadSetting(f"{key} can be changed for a while only: give for_s.")
    if value is None:
        return None
    try:
        found = _adapter(key).validate_python(value, strict=True)
    except ValidationError:
        raise BadSetting(f"{key} needs {setting.expected()}.") from None
    most = _MOST.get(key)
    if most is not None and found > most:
        raise BadSetting(f"{key} is at most {most} from afar.")
    return found


@cache
def _adapter(key: str) -> TypeAdapter[Any]:
    info = all_settings()[key].info
    kind: Any = info.annotation
    for constraint in info.metadata:
        kind = Annotated[kind, constraint]
    return TypeAdapter(kind)


def own_keys(loaded: Loaded | None) -> Mapping[str, str]:
    """Keys that the box itself sets → where."""
    if loaded is None:
        return {}
    return {
        key: str(loaded.origins[key])
        for key in KEYS
        if key in loaded.origins and loaded.origins[key].kind != "default"
    }


def overlaid(settings: Settings, values: Mapping[str, RemoteValue]) -> Settings:
    """The box's settings with the cloud's values laid over them."""
    sections: dict[str, dict[str, Any]] = {}
    for key, one in values.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = one.value
    return settings.model_copy(
        update={
            section: getattr(settings, section).model_copy(update=changed)
            for section, changed in sections.items()
        }
    )


def origin_of(one: RemoteValue) -> Origin:
    """As the page of settings shows it."""
    return Origin("cloud", f"command {one.command_id}")
