"""A marimo notebook: a report's widget, and a cell that reads what is selected in it."""

import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    import torch

    import ipyflops

    model = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Linear(64, 16))
    with ipyflops.FlopCounter() as counter:
        model(torch.ones(4, 16)).sum().backward()
    view = mo.ui.anywidget(counter.report.widget())
    view  # noqa: B018  # what a cell shows
    return counter, mo, view


@app.cell
def _(counter, mo, view):
    mo.md(f"selected {view.selected}: {counter.report.find(view.selected).flops:,} FLOPs")


if __name__ == "__main__":
    app.run()
