"""The widget's program and style sheet, each one text made of the readable files in ``static``.

The program is one ES module. Its sources are several, written as ordinary modules that import each
other; here each becomes a function with a scope of its own, called in the order that the imports
ask for. That keeps the sources free of a build step and of anything to install.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
STYLES = ("base.css", "controls.css", "grid.css", "icicle.css", "panes.css", "ranks.css")

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)
#: Comments on lines of their own. They are for readers; every page would be sent them.
_COMMENT = re.compile(r"^ *(?:/\*\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)


@cache
def program() -> str:
    """The sources joined into one ES module, without their comments."""
    joined: dict[str, str] = {}
    _join("widget.js", joined)
    parts = [
        f"const {_variable(name)} = (() => {{\n{text}}})();\n" for name, text in joined.items()
    ]
    return "\n".join([*parts, f"export default {_variable('widget.js')}.main;\n"])


@cache
def loader() -> str:
    """The ES module of each view, which fetches the program."""
    return _COMMENT.sub("", (STATIC / "loader.js").read_text(encoding="utf-8"))


def _join(name: str, joined: dict[str, str]) -> None:
    """Add a source, after those that it imports."""
    text = (STATIC / name).read_text(encoding="utf-8")
    for _, imported in _IMPORT.findall(text):
        if imported not in joined:
            _join(imported, joined)
    names = _EXPORT.findall(text)
    text = _IMPORT.sub(
        lambda match: f"const {{{' '.join(match[1].split())}}} = {_variable(match[2])};\n", text
    )
    text = _COMMENT.sub("", _EXPORT.sub("", text))
    if _DEFAULT.search(text):
        text = _DEFAULT.sub("const main = ", text)
        names.append("main")
    joined[name] = f"{text}return {{ {', '.join(names)} }};\n"


def _variable(name: str) -> str:
    return f"{name.removesuffix('.js')}_js"


@cache
def style() -> str:
    """The style sheet."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES)
