"""A document as YAML text: the same text from the same document, on every machine."""

from __future__ import annotations

from typing import Any

HEADER = (
    "# Made from the models in hub/contract by `python -m hub.contract.publish --write`.\n"
    "# Don't edit: change the models, then write this file again.\n"
)


def to_yaml(document: dict[str, Any]) -> str:
    """Keys keep their order; texts of several lines stand as blocks; no anchors."""
    import yaml

    base: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    body: str = yaml.dump(
        document,
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
    return HEADER + body
