"""The page's texts and modules fit together, as far as that can be read from them."""

from __future__ import annotations

import re
from pathlib import Path

import hub.web

STATIC = Path(hub.web.__file__).parent / "static"
SOURCES = {path: path.read_text() for path in sorted(STATIC.rglob("*.js"))}
TEXTS = STATIC / "texts" / "en.js"
KEYS = set(re.findall(r'^  "([^"]+)":', SOURCES[TEXTS], re.MULTILINE))


def test_no_text_is_there_twice() -> None:
    keys = re.findall(r'^  "([^"]+)":', SOURCES[TEXTS], re.MULTILINE)
    assert sorted(keys) == sorted(KEYS)


def called() -> set[str]:
    """Keys that are written out where a text is asked for."""
    return {
        key
        for path, source in SOURCES.items()
        if path != TEXTS
        for key in re.findall(r'\bt\(\s*"([^"]+)"', source)
    }


def families() -> set[str]:
    """Beginnings of keys that end in a state: ``t(`way.${place}`)`` and ``word("kind", …)``."""
    found: set[str] = set()
    for path, source in SOURCES.items():
        if path != TEXTS:
            found |= set(re.findall(r"`([a-z.]+)\.\$\{", source))
            found |= {f"{one}" for one in re.findall(r'\bword\("([^"]+)"', source)}
    return found


def test_every_text_that_is_asked_for_is_there() -> None:
    assert called() - KEYS == set()


def test_every_text_is_asked_for() -> None:
    beginnings = tuple(f"{one}." for one in families())
    chosen = {
        key
        for path, source in SOURCES.items()
        if path != TEXTS
        for key in KEYS
        if f'"{key}"' in source
    }
    assert {key for key in KEYS - called() - chosen if not key.startswith(beginnings)} == set()


def test_every_module_that_is_imported_is_there_and_exports_the_name() -> None:
    missing = []
    for path, source in SOURCES.items():
        for names, other in re.findall(r'import (?:\{([^}]*)\}|\* as \w+) from "([^"]+)"', source):
            target = (path.parent / other).resolve()
            text = SOURCES.get(target)
            for name in [one.strip() for one in names.split(",") if one.strip()]:
                pattern = rf"export (async )?(function|const|let|class) {name}\b"
                if text is None or not re.search(pattern, text):
                    missing.append(f"{path.name}: {name} of {other}")
            if text is None:
                missing.append(f"{path.name}: {other}")
    assert missing == []


def test_every_import_is_used() -> None:
    idle = []
    for path, source in SOURCES.items():
        body = re.sub(r"^import .*$", "", source, flags=re.MULTILINE)
        for names in re.findall(r"^import \{([^}]*)\}", source, re.MULTILINE):
            wanted = [one.strip() for one in names.split(",") if one.strip()]
            idle += [(path.name, one) for one in wanted if not re.search(rf"\b{one}\b", body)]
    assert idle == []


def test_nothing_of_the_page_comes_from_outside_or_stands_inline() -> None:
    index = (STATIC / "index.html").read_text()
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son[a-z]+=", index)
    for path in STATIC.rglob("*"):
        if path.is_file() and path.suffix != ".svg":
            text = path.read_text().replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?://|innerHTML", text), path
