"""A complete, commented settings file, generated from the models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from hub.config import peripheral_file
from hub.config.fields import Setting, all_settings, sections, toml_text

_HEAD = """\
# Settings of Store Hub. Lines that begin with "# name =" show a default; remove the "# " to
# change it. Check the file with `store-hub config check FILE`.
#
# Stronger than this file, in this order: systemd credentials named section.field (secrets only),
# environment variables STORE_HUB__SECTION__FIELD, and --set section.field=value.
"""


def example_toml() -> str:
    """The file's text; it is valid as it stands."""
    sections_text = "".join(_section(name) for name in sections())
    return _HEAD + sections_text + "\n".join(peripheral_file.example()) + "\n"


def _section(name: str) -> str:
    doc = (sections()[name].__doc__ or "").strip()
    rows = ["", *_comment(doc), f"[{name}]"]
    for setting in all_settings().values():
        if setting.section == name:
            rows += ["", *_setting(setting)]
    return "\n".join(rows) + "\n"


def _setting(setting: Setting) -> Iterator[str]:
    yield from _comment(setting.description)
    if setting.kind in {"int", "fraction", "choice"} or setting.required:
        yield from _comment(f"Must be {setting.expected()}.")
    if setting.required:
        yield f"{setting.name} = {setting.example()}"
    elif setting.info.default is None:
        yield f"# {setting.name} = {setting.example()}    # not set by default"
    else:
        yield f"# {setting.name} = {toml_text(setting.info.default)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 96, initial_indent="# ", subsequent_indent="# ")
