"""The files of the technician's page as they are served."""

from __future__ import annotations

import re

from aiohttp.test_utils import make_mocked_request

from hub.web.page import Page


async def served(page: Page, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    answer = await page.handle(make_mocked_request("GET", path, headers=headers))
    body = answer.body
    return answer.status, body if isinstance(body, bytes) else b""


async def test_the_first_file_names_every_module_once() -> None:
    page = Page()
    _, body = await served(page, "/")
    named = re.findall(r'rel="modulepreload" href="([^"]+)"', body.decode())
    assert named == [path for path in page.paths if path.endswith(".js")]
    assert "/pages/overview.js" in named


async def test_every_page_in_the_list_has_its_file() -> None:
    page = Page()
    _, body = await served(page, "/pages/index.js")
    names = re.findall(r'"(\w+)"', body.decode().split("NAMES = ")[1].split(";")[0])
    assert {f"/pages/{name}.js" for name in names} <= set(page.paths)


async def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    page = Page()
    answer = await page.handle(make_mocked_request("GET", "/app.js"))
    again = {"If-None-Match": answer.headers["ETag"]}
    assert await served(page, "/app.js", again) == (304, b"")
