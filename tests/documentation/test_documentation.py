"""The documents that are made of the code are current, and links in documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import ipyflops
from tests.browser.gallery import SHOWN
from tests.documentation.reference import TARGET, reference
from tests.notebooks.tutorials import ROOT, badges, repository

#: What the README leads to; it has room for a first look alone.
PAGES = (
    "ipyflops/COMPARISON.md",
    "ipyflops/COMPATIBILITY.md",
    "ipyflops/CONVENTIONS.md",
    "ipyflops/LIMITS.md",
    "ipyflops/NUMBERS.md",
    "ipyflops/TOUR.md",
)
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "ipyflops/README.md",
    "ipyflops/API.md",
    *PAGES,
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


#: The README is read in one go; what is longer stands on a page.
MOST_WORDS = 900


def test_the_readme_is_short() -> None:
    assert len(read("README.md").split()) <= MOST_WORDS


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_leads_to_each_page_and_back(page: str) -> None:
    assert f"]({page})" in read("README.md")
    assert "](../README.md)" in read(page)


def test_every_picture_says_what_it_shows() -> None:
    for name in ("README.md", *PAGES):
        for described in re.findall(r"!\[([^\]]*)\]\((?!https?:)", read(name)):
            assert len(described.split()) >= 4, f"{name}: {described!r}"


def test_the_pictures_are_those_that_one_command_takes() -> None:
    """What `make pictures` takes in one session is what is committed and what the pages show."""
    shown: set[str] = set()
    for name in ("README.md", *PAGES):
        shown |= set(re.findall(r"\]\([./]*github/images/([\w-]+)\.png\)", read(name)))
    committed = {path.stem for path in (ROOT / ".github" / "images").iterdir()}
    assert shown == committed == set(SHOWN)


def test_the_tour_prints_what_is_counted() -> None:
    """The headline of ResNet-50; `test_numbers` works its count out by hand."""
    flops, macs = 8_238_253_568, 4_089_184_256
    tour = read("ipyflops/TOUR.md")
    assert f"\n{flops / 1e9:.2f} GFLOPs · {macs / 1e9:.2f} GMACs · " in tour
    for name in ("NUMBERS", "COMPARISON"):
        assert f"{flops:,} FLOPs" in read(f"ipyflops/{name}.md")


def test_the_sizes_of_adaptive_pooling_are_those_that_are_counted() -> None:
    """The example of the page on conventions: 8 channels of 27 × 27."""
    x = torch.zeros(1, 8, 27, 27)
    with ipyflops.FlopCounter() as pooled:
        torch.nn.functional.adaptive_max_pool2d(x, 1)
    with ipyflops.FlopCounter() as reduced:
        x.amax((2, 3))
    # One for each output; a comparison for each element but the first of each channel.
    assert pooled.report.flops == 8
    assert reduced.report.flops == 8 * (27 * 27 - 1) == 5_824
    assert "counts 8, while" in read("ipyflops/CONVENTIONS.md")
    assert "= 5,824" in read("ipyflops/CONVENTIONS.md")
