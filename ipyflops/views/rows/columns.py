"""Which columns a table has: the metrics that say something about a report, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.costs.metrics import METRICS, Metric
from ipyflops.report.report import Report

#: The columns of the browser's tables in their order; those that are optional follow.
BROWSER: dict[str, tuple[str, ...]] = {
    "modules": (
        "flops",
        "share",
        "macs",
        "module_calls",
        "parameters",
        "seconds",
        "flops_per_second",
        "utilization",
        "bytes",
        "intensity",
        "int_ops",
        "replicated_share",
        "communicated",
    ),
    "operators": (
        "flops",
        "share",
        "macs",
        "int_ops",
        "calls",
        "seconds",
        "flops_per_second",
        "utilization",
        "bytes",
        "intensity",
        "replicated_share",
        "communicated",
    ),
}
BROWSER["lines"] = BROWSER["operators"]
#: The columns that a table has only where they are asked for.
OPTIONAL: tuple[str, ...] = tuple(key for key, metric in METRICS.items() if metric.optional)


def known(report: Report, name: str) -> object:
    """What a metric may need of the whole run: a number of it, or the device's peak."""
    if name == "peak":
        return report.peak
    if name == "parameters":
        return any(scope.parameters for scope in report.scopes)
    return getattr(report.totals, name)


def that_matter(report: Report, keys: Sequence[str]) -> list[Metric]:
    """Give the metrics of some keys that say something about a report."""
    metrics = [METRICS[key] for key in keys]
    return [one for one in metrics if one.matters(lambda name: known(report, name))]
