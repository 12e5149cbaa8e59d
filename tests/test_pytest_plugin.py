"""The plugin for pytest: budgets, what a failure says, and that it costs nothing unused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ipyflops import pytest_plugin

pytest_plugins = ["pytester"]

#: A layer of 8 × WIDTH on 4 inputs: 2·4·8·WIDTH FLOPs.
TEST = """\
import torch

def test_model(flops_budget):
    model = torch.nn.Sequential(torch.nn.Linear(8, WIDTH, bias=False), torch.nn.Linear(WIDTH, 2))
    with flops_budget(BUDGET) as counter:
        model(torch.ones(4, 8))
    assert counter.report.find("model.0").flops == 2 * 4 * 8 * WIDTH
"""


def run(pytester: pytest.Pytester, budget: str, *options: str, width: int = 16) -> pytest.RunResult:
    text = TEST.replace("BUDGET", budget).replace("WIDTH", str(width))
    pytester.makepyfile(test_budget=text)
    # In this process, where PyTorch is there already.
    return pytester.runpytest_inprocess(
        "-p", "ipyflops.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:xdist", *options
    )


@pytest.mark.parametrize(
    ("budget", "passes"),
    [
        # 2·4·8·16 + 2·4·16·2 = 1,280 FLOPs, 640 MACs.
        ("limit='1.28 kFLOPs'", True),
        ("limit='1279 FLOPs'", False),
        ("'1,280 FLOPs'", True),
        ("limit='640 MACs'", True),
        ("limit='0.639kMACs'", False),
        ("'1_280 FLOPs', convention='contractions'", True),
    ],
)
def test_a_limit(pytester: pytest.Pytester, budget: str, passes: bool) -> None:
    done = run(pytester, budget)
    done.assert_outcomes(passed=int(passes), failed=int(not passes))
    if not passes:
        done.stdout.re_match_lines([r".*(1\.28 kFLOPs|640 MACs), 0\.\d+ % more than the budget of"])
        done.stdout.fnmatch_lines(["*0 Linear*"])


def test_a_saved_report(pytester: pytest.Pytester) -> None:
    budget = "report='budgets/model.json', tolerance=0.02"
    done = run(pytester, budget)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(
        ["there is no report *model.json: pytest --ipyflops-update writes it"]
    )
    run(pytester, budget, "--ipyflops-update").assert_outcomes(passed=1)
    assert (pytester.path / "budgets" / "model.json").exists()
    run(pytester, budget).assert_outcomes(passed=1)
    run(pytester, budget, width=15).assert_outcomes(passed=1)
    done = run(pytester, budget, width=17)
    done.assert_outcomes(failed=1)
    # 80 FLOPs for each of the width: 1,280 before, 1,360 after.
    done.stdout.fnmatch_lines(
        [
            "1.36 kFLOPs, 6.25 % more than the 1.28 kFLOPs of model.json and its 2 %; it grew in",
            "  model: 1.28 k → 1.36 kFLOPs",
            "  model.0: 1.02 k → 1.09 kFLOPs",
            "  model.1: 256 → 272 FLOPs",
            "*1.28 k*1.36 k*×1.06*",
            "pytest --ipyflops-update writes the new report",
        ]
    )
    wide = "report='budgets/model.json', tolerance=0.0625"
    run(pytester, wide, width=17).assert_outcomes(passed=1)
    run(pytester, budget, "--ipyflops-update", width=17).assert_outcomes(passed=1)
    run(pytester, budget, width=17).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (
            "limit='8.3'",
            'a budget is a number with a unit, as "8.3 GFLOPs" or "4.1 GMACs", not \'8.3\'',
        ),
        ("limit=8_300_000_000", "a number with a unit"),
        ("limit='8.3 GFLOPS'", "FLOPS are a rate"),
        ("limit='much FLOPs'", "a number with a unit"),
        ("", "flops_budget takes either limit="),
        ("'1 FLOPs', report='x.json'", "flops_budget takes either limit="),
        ("'1 FLOPs', tolerance=0.1", "a tolerance is for a saved report"),
        ("report='x.json', tolerance=-1", "a tolerance is a share from 0 on"),
        ("'1 FLOPs', convention='x'", "there is no convention 'x'"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    pytester: pytest.Pytester, budget: str, message: str
) -> None:
    done = run(pytester, budget)
    done.assert_outcomes(failed=1)
    assert message in done.stdout.str()


def test_an_error_in_the_block_is_the_tests_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "def test_model(flops_budget):\n"
        "    with flops_budget('1 FLOPs'):\n"
        "        raise KeyError('mine')\n"
    )
    done = pytester.runpytest_inprocess("-p", "ipyflops.pytest_plugin", "-p", "no:xdist")
    done.stdout.fnmatch_lines(["*KeyError: 'mine'*"])
    assert "budget of" not in done.stdout.str()


def test_unused_it_imports_nothing(tmp_path: Path) -> None:
    """As the wheel has it, a module of its own: neither PyTorch nor the package, and no time."""
    copied = tmp_path / "ipyflops_pytest.py"
    copied.write_text(Path(pytest_plugin.__file__).read_text("utf-8"), "utf-8")
    code = (
        "import pytest, sys, time\n"
        "before = set(sys.modules)\n"
        "started = time.perf_counter()\n"
        "import ipyflops_pytest\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.stdout == "['ipyflops_pytest']\n", done.stderr
