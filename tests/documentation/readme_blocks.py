"""The code blocks of the README and its pages, in their order: what a reader copies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

ROOT = Path(__file__).parents[2]
#: What was the README's once, and stands on pages of its own.
PAGES = ("README.md", "ipyflops/TOUR.md", "ipyflops/COMPATIBILITY.md", "ipyflops/NUMBERS.md")
README = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)

Kind: TypeAlias = Literal["commands", "output", "configuration", "script", "cell"]


@dataclass(frozen=True)
class Block:
    """One block and what a reader does with it."""

    kind: Kind
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a console block, without prompts and remarks."""
        lines = re.findall(r"^\$ (.*)$", self.text, re.M)
        return [re.sub(r"\s+# .*", "", line) for line in lines]


def blocks() -> list[Block]:
    """All of them; a block that is none of these kinds is an error."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.M | re.S)
    return [Block(_kind(language, text), text) for language, text in found]


def of_kind(kind: Kind) -> list[Block]:
    return [block for block in blocks() if block.kind == kind]


def _kind(language: str, text: str) -> Kind:
    if language == "console":
        return "commands"
    if language == "text":
        return "output"
    if language == "python" and text.startswith("c."):
        return "configuration"
    if language == "python":
        return "cell" if re.match(r"%", text) else "script"
    raise ValueError(f"nobody tests blocks of {language!r}: {text[:60]!r}")
