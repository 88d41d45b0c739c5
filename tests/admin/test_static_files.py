"""Files are read once, and never by a path that somebody sends."""

from __future__ import annotations

import re
from pathlib import Path

from wsa_proxy.admin.pages import MESSAGE
from wsa_proxy.admin.static_files import FOLDER
from wsa_proxy.admin.static_files import read_static_files


def test_files_of_known_types_are_read(tmp_path: Path) -> None:
    """Nothing from folders below, nothing of another type; the login page is for whoever comes."""
    for name in (
        "index.html",
        "login.html",
        "login.js",
        "page.js",
        "page.css",
        "icon.svg",
        "notes.txt",
        "backup.html~",
    ):
        (tmp_path / name).write_text(name)
    (tmp_path / "below.html").mkdir()
    files = read_static_files(tmp_path)
    assert {name for name, file in files.items() if file.open} == {"login.html", "login.js", "page.css", "icon.svg"}
    assert {name for name, file in files.items() if not file.open} == {"index.html", "page.js"}
    assert files["page.js"].kind == "text/javascript; charset=utf-8" and files["page.js"].body == b"page.js"


def test_the_page_names_files_that_are_there() -> None:
    """What the pages and scripts of the product load from this server, it has; the form to log in, without a login, and
    with a place for what was wrong."""
    files = read_static_files(FOLDER)
    for name, file in files.items():
        text = file.body.decode()
        named = set(re.findall(r"""(?:src|href)="/static/([^"]+)"|from "\./([^"]+)\"""", text))
        needed = {one or other for one, other in named}
        assert needed <= files.keys(), name
        if file.open:
            assert all(files[each].open for each in needed), name
    assert files["login.html"].open and not files["index.html"].open
    assert MESSAGE in files["login.html"].body


def test_the_etag_is_of_the_content(tmp_path: Path) -> None:
    """The same after a restart, another one after an upgrade."""
    (tmp_path / "a.css").write_text("a")
    first = read_static_files(tmp_path)["a.css"].etag
    assert read_static_files(tmp_path)["a.css"].etag == first and first.startswith('"') and first.endswith('"')
    (tmp_path / "a.css").write_text("b")
    assert read_static_files(tmp_path)["a.css"].etag != first


def test_no_folder_is_no_files(tmp_path: Path) -> None:
    """The server runs without a page as well."""
    assert read_static_files(tmp_path / "none") == {}
