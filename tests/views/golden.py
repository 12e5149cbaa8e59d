"""What the views write about the reports made by hand: the files in ``tests/data/views``.

``python -m tests.views.golden`` writes them anew; look at the difference before you commit it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ipyflops.views import to_html, to_text
from tests.views import reports

FOLDER = Path(__file__).parents[1] / "data" / "views"

TREES = ("resnet", "training", "transformer", "failed", "unknown", "integers", "hostile", "deep")

CASES: dict[str, Callable[[], str]] = {
    **{f"{name}.txt": lambda name=name: to_text(reports.ALL[name](), width=80) for name in TREES},
    "resnet-depth-5.txt": lambda: to_text(reports.resnet(), depth=5, width=80),
    "resnet-narrow.txt": lambda: to_text(reports.resnet(), width=40),
    "resnet-wide.txt": lambda: to_text(reports.resnet(), width=120, per=(2, "image")),
    "wide.txt": lambda: to_text(reports.wide(), width=80),
    "empty.txt": lambda: to_text(reports.empty(), width=80),
    "training-operators.txt": lambda: to_text(
        reports.resnet(training=True), by="operators", width=80
    ),
    "unknown-operators.txt": lambda: to_text(reports.unknown(), by="operators", width=80),
    "transformer-lines.txt": lambda: to_text(reports.transformer(), by="lines", width=80),
    "difference.txt": lambda: to_text(reports.resnet(training=True) - reports.resnet(), width=80),
    "difference-layers.txt": lambda: to_text(
        reports.transformer(3) - reports.transformer(2), width=80
    ),
    "transformer.html": lambda: to_html(reports.transformer(), per=(128, "token")),
    "unknown.html": lambda: to_html(reports.unknown(), by="operators"),
    "hostile.html": lambda: to_html(reports.hostile(), by="lines"),
    "difference.html": lambda: to_html(reports.transformer(3) - reports.transformer(2)),
}


def path(name: str) -> Path:
    return FOLDER / name


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, write in CASES.items():
        path(name).write_text(write() + "\n", encoding="utf-8")
