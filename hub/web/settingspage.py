"""The page of settings: every value in force, where it came from and what it means."""

from __future__ import annotations

import re
from typing import Any, Final

from hub.config import Loaded
from hub.config.fields import Setting, toml_text
from hub.config.peripherals import Peripheral
from hub.contract.pages.house import SettingsPage, SettingView

_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]*@")


def page(loaded: Loaded) -> SettingsPage:
    """All settings; a secret's value is never among them."""
    return SettingsPage(
        file=str(loaded.file),
        settings=(
            *(
                _view(loaded, setting, str(origin), is_default=origin.kind == "default")
                for setting, _, origin in loaded.rows()
            ),
            *(
                _attached(loaded, name, field, value)
                for name, field, value in loaded.peripheral_rows()
            ),
        ),
    )


def _view(loaded: Loaded, setting: Setting, origin: str, *, is_default: bool) -> SettingView:
    value = loaded.value(setting)
    default = None if setting.required or setting.secret else setting.info.default
    return SettingView(
        key=setting.key,
        section=setting.section,
        name=setting.name,
        value="" if setting.secret or value is None else _shown(toml_text(value)),
        is_set=value is not None,
        is_secret=setting.secret,
        is_default=is_default,
        default="" if default is None else toml_text(default),
        origin=_shown(origin),
        what=setting.description,
        expected=setting.expected(),
    )


def _attached(loaded: Loaded, peripheral_id: str, field: str, value: Any) -> SettingView:
    """What the file sets about a peripheral."""
    section = f"peripherals.{peripheral_id}"
    info = Peripheral.model_fields.get(field) or Peripheral.model_fields["options"]
    return SettingView(
        key=f"{section}.{field}",
        section=section,
        name=field,
        value=_shown(toml_text(value)),
        is_set=True,
        is_secret=False,
        is_default=False,
        default="",
        origin=str(loaded.file),
        what=info.description or "",
        expected="",
    )


def _shown(text: str) -> str:
    """Without a user and password that somebody may have put into a URL."""
    return _USER_INFO.sub("", text)
