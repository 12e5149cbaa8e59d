"""The package's Python files as text and as syntax trees, for the tests of this folder."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ipyflops"


@cache
def files() -> tuple[Path, ...]:
    return tuple(sorted(PACKAGE.rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module(path: Path) -> str:
    """The dotted name of a file: ``ipyflops.report.tree``; of an `__init__` its folder's."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def name(path: Path) -> str:
    """As a reader says it: ``report/tree.py``."""
    return path.relative_to(PACKAGE).as_posix()


def code_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that hold code, with their numbers: no comment, docstring, import or lone bracket."""
    text = path.read_text(encoding="utf-8")
    skipped: set[int] = set()
    for node in ast.walk(tree(path)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, (ast.Import, ast.ImportFrom)):
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.line.strip() == token.string:
            skipped.add(token.start[0])
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if number not in skipped and any(one.isalnum() for one in stripped):
            yield number, stripped
