"""The plugin for pytest: ``with flops_budget(limit="8.3 GFLOPs"): model(x)``.

Every run of pytest loads this file, also one that does not use it: so it imports nothing of PyTorch
or of this package before a test asks for a budget. For the same reason the wheel has it beside the
package, as ``ipyflops_pytest``: ``ipyflops.pytest_plugin`` would import PyTorch.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_PREFIXES = "kMGTPEZYRQ"
_UNITS = {"FLOPs": "flops", "MACs": "macs"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes new budgets."""
    # It may be there already: installed, and named by ``-p ipyflops.pytest_plugin`` as well.
    with contextlib.suppress(ValueError):
        parser.getgroup("ipyflops").addoption(
            "--ipyflops-update",
            action="store_true",
            help="write the reports that flops_budget(report=…) compares with",
        )


@pytest.fixture
def flops_budget(
    request: pytest.FixtureRequest,
) -> Callable[..., contextlib.AbstractContextManager[Any]]:
    """Hold what runs in a block to a budget.

    ``with flops_budget(limit="8.3 GFLOPs"): model(x)`` fails if the block takes more. ``with
    flops_budget(report="budgets/model.json", tolerance=0.02): model(x)`` fails if it takes 2 % more
    than the saved report, and names the modules that grew; ``pytest --ipyflops-update`` writes the
    report. A path is from the folder of the test's file. What is counted: ``with … as counter:``,
    then ``counter.report``. ``convention=`` is as for ``ipyflops.FlopCounter``.
    """
    update = bool(request.config.getoption("--ipyflops-update"))

    def budget(
        limit: str | None = None,
        *,
        report: str | Path | None = None,
        tolerance: float = 0.0,
        convention: Any = "standard",
    ) -> contextlib.AbstractContextManager[Any]:
        path = None if report is None else request.path.parent / report
        _check(limit, path, tolerance, update=update)
        return _held(limit, path, tolerance, convention, update=update)

    return budget


def _check(limit: str | None, path: Path | None, tolerance: float, *, update: bool) -> None:
    """Refuse a budget that says nothing.

    Raises
    ------
    ValueError
        It says what to write.
    """
    if (limit is None) == (path is None):
        raise ValueError(
            'flops_budget takes either limit="8.3 GFLOPs" or report="budgets/model.json"'
        )
    if limit is not None:
        _amount(limit)
    if not 0 <= tolerance < float("inf"):
        raise ValueError(f"a tolerance is a share from 0 on, as 0.02, not {tolerance!r}")
    if tolerance and path is None:
        raise ValueError("a tolerance is for a saved report; a limit is a limit")
    if path is not None and not update and not path.exists():
        pytest.fail(f"there is no report {path}: pytest --ipyflops-update writes it", pytrace=False)


def _amount(limit: object) -> tuple[float, str]:
    """Read a budget: ``("8.3 GFLOPs")`` is 8.3e9 and ``flops``."""
    found = re.fullmatch(
        rf"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([{_PREFIXES}]?)(FLOPs|MACs)\s*", str(limit)
    )
    if found is None:
        remark = "; FLOPS are a rate" if str(limit).endswith("FLOPS") else ""
        raise ValueError(
            f'a budget is a number with a unit, as "8.3 GFLOPs" or "4.1 GMACs", '
            f"not {limit!r}{remark}"
        )
    number = float(re.sub("[_,]", "", found[1]))
    power = _PREFIXES.index(found[2]) + 1 if found[2] else 0
    return number * 1000**power, _UNITS[found[3]]


@contextlib.contextmanager
def _held(
    limit: str | None, path: Path | None, tolerance: float, convention: Any, *, update: bool
) -> Iterator[Any]:
    """Count the block, and fail where it takes more than it may."""
    __tracebackhide__ = True
    import ipyflops

    counter = ipyflops.FlopCounter(convention, device_time=False)
    with counter:
        yield counter
    counted = counter.report
    if path is not None:
        said = _beyond_report(counted, path, tolerance, update=update)
    else:
        said = _beyond_limit(counted, str(limit))
    if said:
        pytest.fail(said, pytrace=False)


def _beyond_limit(counted: Any, limit: str) -> str:
    """What is said where a report is over a limit; nothing where it is not."""
    most, measure = _amount(limit)
    amount = getattr(counted, measure)
    if amount <= most:
        return ""
    from ipyflops.units import scaled

    unit = "FLOPs" if measure == "flops" else "MACs"
    more = f"{100 * (amount / most - 1):.3g} % more" if most else "more"
    return f"{scaled(amount, unit)}, {more} than the budget of {limit}\n\n{counted}"


def _beyond_report(counted: Any, path: Path, tolerance: float, *, update: bool) -> str:
    """What is said where a report is over a saved one; with ``--ipyflops-update`` it is saved."""
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        counted.save(path)
        return ""
    import ipyflops
    from ipyflops.units import scaled

    before = ipyflops.Report.load(path).under(counted.convention)
    if counted.flops <= before.flops * (1 + tolerance):
        return ""
    allowed = f" and its {100 * tolerance:g} %" if tolerance else ""
    more = f"{100 * (counted.flops / before.flops - 1):.3g} % more" if before.flops else "more"
    grown = [
        f"  {change.path or '(all)'}: {scaled(old)} → {scaled(new, 'FLOPs')}"
        for change in (counted - before).changes
        if change.path
        and (new := change.after.flops if change.after else 0)
        > (old := change.before.flops if change.before else 0)
    ]
    than = f"than the {scaled(before.flops, 'FLOPs')} of {path.name}{allowed}"
    return "\n".join(
        [
            f"{scaled(counted.flops, 'FLOPs')}, {more} {than}; it grew in",
            *(grown or ["  code outside of modules"]),
            "",
            str(counted - before),
            "",
            "pytest --ipyflops-update writes the new report",
        ]
    )
