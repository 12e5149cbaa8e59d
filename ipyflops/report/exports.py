"""What a report can be turned into for other programs: frames, tables, charts, flame graphs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

# These take long to import, or are not installed everywhere.
if TYPE_CHECKING:
    import matplotlib.axes
    import pandas


class Exports:
    """The part of `ipyflops.Report` that writes it for others; each way is imported when used.

    `self` is always a `Report`, which this file does not know; hence `Any`.
    """

    def to_frame(
        self: Any, *, lines: bool = False, shapes: bool = False, ranks: bool = False
    ) -> pandas.DataFrame:
        """Give a tidy pandas data frame, one row for each node, operator, dtype and phase.

        Parameters
        ----------
        lines, shapes : bool
            Whether rows are also told apart by source line, by the shapes of the inputs.
        ranks : bool
            Whether rows are also told apart by rank: the first column.

        Raises
        ------
        ImportError
            If pandas is not installed; the message says how to install it.
        """
        from ipyflops.views.documents.frame import to_frame

        return to_frame(self, lines=lines, shapes=shapes, ranks=ranks)

    def to_markdown(self: Any, **options: Any) -> str:
        """Give a table in Markdown, the total last.

        Parameters
        ----------
        **options
            ``by``, ``depth``, ``columns`` and ``prefix``, as
            `ipyflops.views.documents.report_table.report_table` takes them.

        Raises
        ------
        ValueError
            If an option has a value that it cannot have.
        """
        from ipyflops.views.documents.markdown import markdown
        from ipyflops.views.documents.report_table import report_table

        return markdown(report_table(self, **options))

    def to_latex(self: Any, *, caption: str = "", label: str = "", **options: Any) -> str:
        r"""Give a table in LaTeX, for a document with ``\usepackage{booktabs}``, the total last.

        Parameters
        ----------
        caption : str
            LaTeX, taken as it is.
        label : str
            For ``\ref``. With a caption or a label the table floats.
        **options
            As for `to_markdown`.

        Raises
        ------
        ValueError
            As `to_markdown`, and if the label or the caption would break the document.
        """
        from ipyflops.views.documents.latex import latex
        from ipyflops.views.documents.report_table import report_table

        return latex(report_table(self, **options), caption=caption, label=label)

    def to_speedscope(self: Any, path: str | os.PathLike[str]) -> None:
        """Write a flame graph of the module tree by FLOPs, kernel time and bytes, for speedscope.

        Parameters
        ----------
        path : str or path-like
            As ``model.speedscope.json``; a file that is there is replaced only once all is written.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        from ipyflops.views.documents.speedscope import save

        save(self, path)

    def to_chrome_trace(self: Any, path: str | os.PathLike[str]) -> None:
        """Write the same as a trace for Perfetto (or ``chrome://tracing``).

        The format knows time only: FLOPs and bytes are drawn as if they were some, and exact among
        the arguments of each slice.

        Parameters
        ----------
        path : str or path-like
            As ``model.trace.json``; a file that is there is replaced only once all is written.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        from ipyflops.views.documents.chrome_trace import save

        save(self, path)

    def plot(
        self: Any,
        kind: Literal["bar", "roofline"] = "bar",
        ax: matplotlib.axes.Axes | None = None,
        **options: Any,
    ) -> matplotlib.axes.Axes:
        """Draw the report with matplotlib, leaving pyplot's state alone.

        Parameters
        ----------
        kind : {"bar", "roofline"}
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure that pyplot does not know is made where it is left out.
        **options
            Passed to `ipyflops.views.charts.chart.bar` or `ipyflops.views.charts.chart.roofline`.
        """
        from ipyflops.views.charts import chart

        return chart.plot(self, kind, ax, **options)
