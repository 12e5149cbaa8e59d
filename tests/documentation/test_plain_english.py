"""What users read is plain English: no turns of phrase that a reader has to work out."""

from __future__ import annotations

import json
import re

import pytest

from ipyflops.magics.help import HELP
from tests.documentation.test_documentation import PAGES, read
from tests.notebooks.tutorials import ROOT

NOTEBOOKS = [path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
TEXTS = ("README.md", "CONTRIBUTING.md", "ipyflops/README.md", *PAGES)
#: Each was in a text once, and stopped a reader there.
PATTERNS = {
    "a number and its noun": r"\b1 (?:threads|calls|operators|steps|modules|loops)\b",
    "an inversion": r"(?:^|(?<=[.!?;] ))(?:Nor|Neither|Not \w+) (?:is|are|can|does|do|has)\b",
    "something that stands": r"\bstands? (?:beside|behind|there|right|in (?:one|that|the) place)\b",
    "an image": r"\b(?:as it were|so marked|gets? its due|for good measure|folklore)\b",
    "a riddle": r"\b(?:who asks|work(?:s|ed)? it off|a hand can check|a run's luck)\b",
    "nobody": r"\bnobody (?:has|asks|needs|wants|knows|tests|uses|else)\b",
}


def prose(name: str) -> str:
    """The sentences of a text, each paragraph on one line, with no code in them."""
    if name == "%flops?":
        text = HELP
    elif name.endswith(".ipynb"):
        cells = json.loads(read(f"notebooks/{name}"))["cells"]
        text = "\n\n".join("".join(one["source"]) for one in cells if one["cell_type"] != "code")
    else:
        text = read(name)
    text = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$", "", text, flags=re.S)
    return "\n".join(" ".join(one.split()) for one in re.split(r"\n\s*\n|\n(?=[-*|#])", text))


@pytest.mark.parametrize("name", [*TEXTS, *NOTEBOOKS, "%flops?"])
def test_a_text_has_none_of_these(name: str) -> None:
    text = prose(name)
    found = {
        what: found.group()
        for what, pattern in PATTERNS.items()
        if (found := re.search(pattern, text, re.M))
    }
    assert found == {}
