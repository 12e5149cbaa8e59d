"""The range of releases is said in many places; each says what the table in pyproject.toml says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.notebooks.tutorials import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RANGE: dict[str, list[str]] = PROJECT["tool"]["ipyflops"]["range"]
#: The releases of PyTorch that the whole suite runs on, beside the one of development.
RELEASES: list[str] = PROJECT["tool"]["ipyflops"]["releases"]["PyTorch"]
PACKAGES = {name: "torch" if name == "PyTorch" else name.lower() for name in RANGE}
del PACKAGES["Python"]
each = pytest.mark.parametrize("name", PACKAGES)


def read(*path: str) -> str:
    return Path(ROOT, *path).read_text(encoding="utf-8")


def numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", release)))


def requirements(text: str, between: str) -> dict[str, str]:
    return dict(re.findall(rf"^([a-z-]+){between}([\d.]+)$", text, re.M))


def minors(oldest: str, newest: str) -> list[str]:
    (major, first), (_, last) = numbers(oldest), numbers(newest)
    return [f"{major}.{minor}" for minor in range(first, last + 1)]


def job(workflow: str, name: str) -> Any:
    return yaml.safe_load(read(".github", "workflows", workflow))["jobs"][name]


@each
def test_pip_asks_for_the_oldest(name: str) -> None:
    declared = requirements("\n".join(PROJECT["project"]["dependencies"]), ">=")
    assert set(declared) == set(PACKAGES.values())
    assert declared[PACKAGES[name]] == RANGE[name][0]


@each
def test_the_oldest_are_tried(name: str) -> None:
    """`make test-oldest` installs releases of the declared series."""
    pinned = requirements(read("tests", "oldest.txt"), "==")
    oldest = numbers(RANGE[name][0])
    assert numbers(pinned[PACKAGES[name]])[: len(oldest)] == oldest


def test_binder_has_the_same_range() -> None:
    names = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}
    asked = dict(re.findall(r"^  - ([a-z-]+)>=([\d.]+)$", read("binder", "environment.yml"), re.M))
    for name, package in PACKAGES.items():
        assert asked[names.get(package, package)] == RANGE[name][0]


@pytest.mark.parametrize("name", RANGE)
def test_the_page_on_compatibility_says_it(name: str) -> None:
    oldest, newest = RANGE[name]
    assert f"| {name} | {oldest} | {newest} |" in read("ipyflops", "COMPATIBILITY.md").split("\n")


def test_colabs_packages_are_within() -> None:
    pinned = requirements(read("tests", "colab", "pins.txt"), "==")
    for name, package in PACKAGES.items():
        if package != "torch":
            assert numbers(RANGE[name][0]) <= numbers(pinned[package]), name


def test_pythons_are_those_of_the_classifiers_and_of_the_workflow() -> None:
    assert PROJECT["project"]["requires-python"] == f">={RANGE['Python'][0]}"
    pythons = minors(*RANGE["Python"])
    said = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["project"]["classifiers"]), re.M)
    assert said == pythons
    matrix = job("ci.yml", "test")["strategy"]["matrix"]["python"]
    free_threaded = f"{pythons[-1]}t"
    assert matrix == [*pythons, free_threaded]
    assert f"{pythons[0]}" in str(job("ci.yml", "oldest"))


def test_releases_of_pytorch_span_the_range_and_are_in_the_workflow() -> None:
    series = [".".join(one.split(".")[:2]) for one in RELEASES]
    assert [series[0], series[-1]] == RANGE["PyTorch"]
    assert job("weekly.yml", "torch")["strategy"]["matrix"]["torch"] == RELEASES


def test_the_error_at_import_says_it() -> None:
    """Where PyTorch lacks what counting needs."""
    first, last = RANGE["PyTorch"]
    assert f"Use PyTorch {first} to {last}" in read("ipyflops", "torch_private", "__init__.py")


def test_the_development_pytorch_is_within() -> None:
    (release,) = re.findall(r"^TORCH := (\S+)$", read("Makefile"), re.M)
    assert numbers(RELEASES[0]) <= numbers(release) <= numbers(RELEASES[-1])


def test_each_way_to_try_a_release_is_a_target_that_a_workflow_runs() -> None:
    makefile = read("Makefile")
    runs = read(".github", "workflows", "ci.yml") + read(".github", "workflows", "weekly.yml")
    runs += read(".ci", "run")
    for target in ("test-oldest", "test-newest", "test-torch", "test-colab"):
        assert re.search(rf"^{target}:", makefile, re.M), target
        assert f"make {target}" in runs, target
