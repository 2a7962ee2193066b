"""The files of the technician's page, read once and answered from memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Final

from aiohttp import web

CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""Files with another suffix aren't part of the page and aren't answered."""

_MODULES: Final = b"<!-- modules -->"
"""Where the first file names all modules, so that a browser asks for them at once and not one after
the other, as it finds them imported."""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str


class Page:
    """Every file below ``static``; a path that isn't among ``paths`` is not looked for."""

    def __init__(self) -> None:
        folder = resources.files("hub.web").joinpath("static")
        self._files: dict[str, _File] = {}
        for path, found in _walk(folder, "/"):
            content_type = CONTENT_TYPES.get(PurePosixPath(path).suffix)
            if content_type is not None:
                self._files[path] = _file(found.read_bytes(), content_type)
        first = self._files.pop("/index.html")
        links = "".join(
            f'<link rel="modulepreload" href="{path}">\n'
            for path, file in sorted(self._files.items())
            if file.content_type == "text/javascript"
        )
        body = first.body.replace(_MODULES, links.encode())
        self._files["/"] = _file(body, first.content_type)

    @property
    def paths(self) -> tuple[str, ...]:
        """What the page consists of, as paths of URLs."""
        return tuple(sorted(self._files))

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the file, or 304 when the browser has it."""
        file = self._files[request.path]
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == file.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=file.body, content_type=file.content_type, charset="utf-8", headers=headers
        )


def _file(body: bytes, content_type: str) -> _File:
    return _File(body, content_type, f'"{sha256(body).hexdigest()[:16]}"')


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for found in folder.iterdir():
        if found.is_dir():
            yield from _walk(found, f"{prefix}{found.name}/")
        else:
            yield prefix + found.name, found
