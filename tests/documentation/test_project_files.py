"""What a project has beside its code: citation, forms, actions, long description."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

import ipyflops
from tests.documentation.test_range import PROJECT
from tests.notebooks.tutorials import ROOT, repository

GITHUB = ROOT / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
#: Actions without a hash, and why. Each is checked to be still in use.
BY_TAG = {"pypa/gh-action-pypi-publish": "no copy of its release was at hand to read the hash from"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_citation_says_what_the_project_says() -> None:
    """The keys that Citation File Format 1.2.0 requires, and those that are said elsewhere too."""
    citation = load(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert [one["name"] for one in citation["authors"]] == [
        one["name"] for one in PROJECT["project"]["authors"]
    ]
    assert citation["version"] == ipyflops.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert citation["repository-code"] == PROJECT["project"]["urls"]["Repository"]


@pytest.mark.parametrize(
    "name", ["SECURITY.md", "CODE_OF_CONDUCT.md", "pull_request_template.md", "dependabot.yml"]
)
def test_github_finds_the_file(name: str) -> None:
    assert len((GITHUB / name).read_text(encoding="utf-8").split()) > 20


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_one_that_github_takes(path: Path) -> None:
    form = load(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [one for one in form["body"] if one["type"] != "markdown"]
    assert {one["type"] for one in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    names = [one["id"] for one in fields]
    assert len(names) == len(set(names))
    assert all(one["attributes"]["label"] for one in fields)


def test_a_wrong_count_is_reported_with_what_is_needed_to_repeat_it() -> None:
    form = load(GITHUB / "ISSUE_TEMPLATE" / "wrong_count.yml")
    required = {
        one["id"] for one in form["body"] if one.get("validations", {}).get("required") is True
    }
    assert required >= {"code", "convention", "expected", "got", "versions"}


def test_links_of_the_forms_are_the_repositorys() -> None:
    for link in load(GITHUB / "ISSUE_TEMPLATE" / "config.yml")["contact_links"]:
        assert link["url"].startswith(f"https://github.com/{repository()}/")
        for file in re.findall(r"/blob/HEAD/(\S+)$", link["url"]):
            assert (ROOT / file).exists(), file


def test_actions_are_pinned_by_hash() -> None:
    """A tag can be moved to other code; a hash cannot. The version stands behind it."""
    by_tag = set()
    for path in WORKFLOWS:
        for action, version, remark in re.findall(
            r"uses: ([\w./-]+)@(\S+)(.*)$", path.read_text(encoding="utf-8"), re.M
        ):
            if action in BY_TAG:
                by_tag.add(action)
            else:
                assert re.fullmatch(r"[0-9a-f]{40}", version), f"{path.name}: {action}"
                assert re.fullmatch(r"  # v\d+\.\d+\.\d+", remark), f"{path.name}: {action}"
    assert by_tag == set(BY_TAG)


def test_one_action_has_one_version() -> None:
    texts = [path.read_text(encoding="utf-8") for path in WORKFLOWS]
    used = {one for text in texts for one in re.findall(r"uses: ([\w./-]+)@(\S+)", text)}
    assert len({action for action, _ in used}) == len(used)


def test_dependabot_looks_at_folders_that_are_there() -> None:
    for update in load(GITHUB / "dependabot.yml")["updates"]:
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.strip("/")).is_dir(), folder
            if update["package-ecosystem"] == "npm":
                assert (ROOT / folder.strip("/") / "package-lock.json").exists(), folder


def test_binder_names_real_channels_only() -> None:
    """`nodefaults` is an order to some solvers and the name of a channel to others."""
    assert load(ROOT / "binder" / "environment.yml")["channels"] == ["conda-forge"]


def long_description() -> str:
    """The README as a package index shows it: the substitutions that the build makes."""
    table = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    (fragment,) = table["fragments"]
    text = (ROOT / fragment["path"]).read_text(encoding="utf-8")
    for one in table["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    return text


def test_links_and_pictures_work_on_a_package_index() -> None:
    """It shows the README alone: what is relative there leads nowhere."""
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(long_description())
    targets = re.findall(r'(?:href|src)="([^"]+)"', rendered)
    raw = f"https://raw.githubusercontent.com/{repository()}/HEAD/"
    page = f"https://github.com/{repository()}/blob/HEAD/"
    own = 0
    for target in targets:
        assert target.startswith(("https://", "#")), target
        for start in (raw, page):
            if target.startswith(start):
                own += 1
                assert (ROOT / target.removeprefix(start).partition("#")[0]).exists(), target
    pictures = re.findall(r'<img src="([^"]+)"', rendered)
    assert all(one.startswith((raw, "https://mybinder.org/", "https://colab.")) for one in pictures)
    assert own > 10


def test_the_tutorials_with_outputs_are_built_and_published() -> None:
    """One workflow does both, from the folder that `make pages` writes."""
    workflow = load(GITHUB / "workflows" / "pages.yml")
    steps = workflow["jobs"]["pages"]["steps"]
    assert {"run": "make pages"} in steps
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m tests.notebooks.pages build/pages" in makefile
    published = steps[-1]
    assert published["working-directory"] == "build/pages"
    assert "git push --force" in published["run"]
    assert workflow["permissions"] == {"contents": "write"}
