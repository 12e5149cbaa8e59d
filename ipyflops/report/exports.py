"""What a report can be turned into for other programs: frames, tables, charts, flame graphs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from ipyflops.report.files import written_whole

# These take long to import, or are not installed everywhere.
if TYPE_CHECKING:
    import anywidget
    import matplotlib.axes
    import pandas


class Exports:
    """The part of `ipyflops.Report` that writes it for others; each way is imported when used.

    `self` is always a `Report`, which this file does not know; hence `Any`.
    """

    def to_frame(
        self: Any,
        *,
        lines: bool = False,
        shapes: bool = False,
        ranks: bool = False,
        columns: Sequence[str] = (),
    ) -> pandas.DataFrame:
        """Return a tidy pandas data frame, one row for each node, operator, dtype and phase.

        Parameters
        ----------
        lines, shapes : bool
            Whether there are separate rows for each source line, and for each shape of the inputs.
        ranks : bool
            Whether there are separate rows for each rank, in the first column.
        columns : sequence of str
            More columns, which come last, such as ``time_share``.

        Raises
        ------
        ImportError
            If pandas is not installed; the message says how to install it.
        ValueError
            If there is no such column.
        """
        from ipyflops.views import to_frame

        frame: pandas.DataFrame = to_frame(
            self, lines=lines, shapes=shapes, ranks=ranks, columns=columns
        )
        return frame

    def to_markdown(self: Any, *, caption: str | None = None, **options: Any) -> str:
        """Return a table in Markdown, the total last, and a caption below it.

        Parameters
        ----------
        caption : str, optional
            Markdown, used unchanged; empty for none. By default FLOPs, MACs and the convention.
        **options
            ``by``, ``depth``, ``columns``, ``prefix`` and ``code``, as
            `ipyflops.views.documents.report_table.report_table` takes them.

        Raises
        ------
        ValueError
            If the value of an option is not allowed.
        """
        from ipyflops.views import document

        return document(self, "markdown", caption=caption, **options)

    def to_latex(self: Any, *, caption: str | None = None, label: str = "", **options: Any) -> str:
        r"""Return a table in LaTeX, for a document with ``\usepackage{booktabs}``, the total last.

        Parameters
        ----------
        caption : str, optional
            LaTeX, used unchanged; empty for none. By default FLOPs, MACs and the convention.
        label : str
            For ``\ref``. With a caption or a label the table floats.
        **options
            As for `to_markdown`.

        Raises
        ------
        ValueError
            As `to_markdown`, and if the label or the caption would break the document.
        """
        from ipyflops.views import document

        return document(self, "latex", caption=caption, label=label, **options)

    def cite(self: Any, *, of: str = "", input: str = "") -> str:
        """Return a sentence for a paper: FLOPs, MACs, convention, phases, dtypes and versions.

        The versions are those installed now. A report does not know the inputs, so you pass a
        description.

        Parameters
        ----------
        of : str
            What was counted, such as ``ResNet-50``; the outermost modules by default.
        input : str
            The input, such as ``one image of 224 × 224 pixels``.
        """
        from ipyflops.views import document

        return document(self, "sentence", of=of, input=input)

    def to_speedscope(self: Any, path: str | os.PathLike[str]) -> None:
        """Write a flame graph of the module tree by FLOPs, kernel time and bytes, for speedscope.

        Parameters
        ----------
        path : str or path-like
            For example ``model.speedscope.json``. An existing file is replaced only when everything
            is written.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        from ipyflops.views import document

        with written_whole(path) as file:
            file.write(document(self, "speedscope"))

    def to_chrome_trace(self: Any, path: str | os.PathLike[str]) -> None:
        """Write the same as a trace for Perfetto (or ``chrome://tracing``).

        The format only knows time, so FLOPs and bytes are drawn as times. The arguments of each
        slice have the exact numbers.

        Parameters
        ----------
        path : str or path-like
            For example ``model.trace.json``. Errors are those of `to_speedscope`. An existing file
            is replaced only when everything is written.
        """
        from ipyflops.views import document

        with written_whole(path) as file:
            file.write(document(self, "chrome_trace"))

    def widget(self: Any, **options: Any) -> anywidget.AnyWidget:
        """Return the widget that a notebook shows, to keep, observe or combine with others.

        It is an `anywidget`: any front end that supports these shows it, with or without IPython.
        In marimo ``view = mo.ui.anywidget(report.widget())`` makes cells that read
        ``view.selected`` run again when a module is selected. The widget lives until you call its
        ``close()``.

        Parameters
        ----------
        **options
            ``per`` and ``depth``, and values of the traits ``selected``, ``convention``,
            ``metric``, ``sort``, ``expanded``, ``by`` and ``rank``, as
            `ipyflops.views.widget.view.FlopsView` has them.

        Raises
        ------
        traitlets.TraitError
            If a trait cannot have such a value.
        """
        from ipyflops.views import to_widget

        view: anywidget.AnyWidget = to_widget(self, **options)
        return view

    def plot(
        self: Any,
        kind: Literal["bar", "roofline", "memory", "icicle"] = "bar",
        ax: matplotlib.axes.Axes | None = None,
        **options: Any,
    ) -> matplotlib.axes.Axes:
        """Draw the report with matplotlib. It does not change pyplot's state.

        Parameters
        ----------
        kind : {"bar", "roofline", "memory", "icicle"}
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure, which pyplot does not know.
        **options
            Passed to `ipyflops.views.charts.bars.bar`, `ipyflops.views.charts.roofline.roofline`,
            `ipyflops.views.charts.memory.memory` or `ipyflops.views.charts.icicle.icicle`.
        """
        from ipyflops.views import plot

        axes: matplotlib.axes.Axes = plot(self, kind, ax, **options)
        return axes
