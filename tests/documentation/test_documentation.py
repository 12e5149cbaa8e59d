"""The documents that are made of the code are current, and links in documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documentation.reference import TARGET, reference
from tests.notebooks.tutorials import ROOT, badges, repository

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "ipyflops/README.md",
    "ipyflops/API.md",
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_the_reference_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), "run `make docs`"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", read(name), flags=re.S)
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        found = Path(ROOT / name).parent / path if path else ROOT / name
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), target


def test_the_readme_has_the_badge_and_no_other_address() -> None:
    text = read("README.md")
    assert badges("01_quickstart") in text
    for name in DOCUMENTS:
        named = re.findall(r"(?:github\.com|v2/gh)/([\w.-]+/[\w.-]+)", read(name))
        assert {one for one in named if one.partition("/")[2] == "ipyflops"} <= {repository()}
