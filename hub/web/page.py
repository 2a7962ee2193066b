"""The files of the status page, read once and answered from memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Final

from aiohttp import web

FILES: Final[Mapping[str, tuple[str, str]]] = {
    "/": ("index.html", "text/html"),
    "/app.css": ("app.css", "text/css"),
    "/app.js": ("app.js", "text/javascript"),
    "/api.js": ("api.js", "text/javascript"),
    "/view.js": ("view.js", "text/javascript"),
    "/text.js": ("text.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    content_type: str
    etag: str


class Page:
    """Every path of the page; a name that isn't in the table is not looked for."""

    def __init__(self) -> None:
        folder = resources.files("hub.web").joinpath("static")
        self._files = {}
        for path, (name, content_type) in FILES.items():
            body = folder.joinpath(name).read_bytes()
            self._files[path] = _File(body, content_type, f'"{sha256(body).hexdigest()[:16]}"')

    async def handle(self, request: web.Request) -> web.Response:
        """Answer with the file, or 304 when the browser has it."""
        file = self._files[request.path]
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == file.etag:
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=file.body, content_type=file.content_type, charset="utf-8", headers=headers
        )
