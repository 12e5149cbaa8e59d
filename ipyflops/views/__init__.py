"""How is a result shown?

These functions are the door: whoever has a report, a difference or a sweep asks here, and what it
takes is imported then. Inside, ``rows`` makes of it what is shown, as plain data, and a folder for
each form writes that.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from ipyflops.costs import check_choice
from ipyflops.report import Difference, Report, ShownAsTable, Sweep, printable
from ipyflops.views.frontend import preferred_view, publisher, shows_widgets
from ipyflops.views.requests import BY, VIEWS, check_view
from ipyflops.views.rows.columns import RECORDED
from ipyflops.views.rows.columns import chosen as chosen_columns
from ipyflops.views.rows.visible import shortened, visible
from ipyflops.views.stand_in import WIDGET_VIEW, beside_widget

__all__ = [
    "BY",
    "RECORDED",
    "VIEWS",
    "WIDGET_VIEW",
    "chosen_columns",
    "displays",
    "document",
    "in_colour",
    "mime_bundle",
    "one_line",
    "plot",
    "preferred_view",
    "shortened",
    "show",
    "shows_widgets",
    "to_frame",
    "to_html",
    "to_text",
    "to_widget",
    "visible",
]

Shown: TypeAlias = Report | Difference | Sweep | ShownAsTable
Form: TypeAlias = Literal["markdown", "latex", "sentence", "speedscope", "chrome_trace"]


# --- text, HTML, widget --------------------------------------------------------------------------


def to_text(shown: Shown, **options: Any) -> str:
    """Write a result as plain text, in characters that the standard output can show.

    Parameters
    ----------
    shown : Report, Difference, Sweep or another result
    **options
        As `ipyflops.views.text.report.to_text`, `ipyflops.views.changes.text.to_text` or
        `ipyflops.views.sweep.text.to_text` takes them.
    """
    if isinstance(shown, Report):
        from ipyflops.views.text import report

        text = report.to_text(shown, **options)
    elif isinstance(shown, Difference):
        from ipyflops.views.changes import text as changes

        text = changes.to_text(shown, **options)
    elif isinstance(shown, ShownAsTable):
        from ipyflops.views.side_by_side import text as tables
        from ipyflops.views.side_by_side.choosing import titled_table

        text = tables.to_text(titled_table(shown), **options)
    else:
        from ipyflops.views.sweep import text as sweep

        text = sweep.to_text(shown, **options)
    return printable(text)


def one_line(shown: Report | Difference | ShownAsTable) -> str:
    """Give the headline of a result in one line, in characters as those of `to_text`."""
    if isinstance(shown, Report):
        from ipyflops.views.rows.headline import headline

        return printable(headline(shown).text)
    if isinstance(shown, ShownAsTable):
        from ipyflops.views.side_by_side.choosing import titled_table

        return printable(titled_table(shown).headline)
    from ipyflops.views.changes.rows import difference_headline

    return printable(difference_headline(shown).text)


def to_html(shown: Shown, **options: Any) -> str:
    """Write a result as an HTML fragment; the options are those of the form, as for `to_text`."""
    if isinstance(shown, Report):
        from ipyflops.views.html import report

        return report.to_html(shown, **options)
    if isinstance(shown, Difference):
        from ipyflops.views.changes import html as changes

        return changes.to_html(shown, **options)
    if isinstance(shown, ShownAsTable):
        from ipyflops.views.side_by_side import html as tables
        from ipyflops.views.side_by_side.choosing import titled_table

        return tables.to_html(titled_table(shown))
    from ipyflops.views.sweep import html as sweep

    return sweep.to_html(shown, **options)


def to_widget(shown: Report | Difference, **options: Any) -> Any:
    """Make a widget; the options are those of `ipyflops.views.widget.view.FlopsView`.

    That of a difference is that of the report after, which begins with what has changed.
    """
    from ipyflops.views.widget.view import FlopsView

    if isinstance(shown, Difference):
        return FlopsView(shown.after, against=shown.before, **options)
    return FlopsView(shown, **options)


# --- outputs of a cell ---------------------------------------------------------------------------


def mime_bundle(shown: Shown, *, view: str = "auto", **options: Any) -> dict[str, Any]:
    """Give a result in every form that a front end may choose from.

    Parameters
    ----------
    shown : Report, Difference, Sweep or another result
    view : {"auto", "widget", "html", "text"}
        ``text`` gives plain text alone, ``html`` HTML as well, ``widget`` the widget of a report or
        a difference besides; ``auto`` does so where a notebook is likely to show it.
    **options
        ``by``, ``depth``, ``per`` and ``columns`` of a report, as for `to_text`. Where `by` is
        None, or left out, a widget shows the tab that was chosen in the one before. ``devices`` are
        those whose least times a widget has as columns.

    Returns
    -------
    dict
        By MIME type.

    Raises
    ------
    ValueError
        If there is no such view, or the report cannot be shown by `by`.
    """
    check_view(view)
    devices = options.pop("devices", ())
    if options.get("by") is None:
        options.pop("by", None)
    bundle: dict[str, Any] = {"text/plain": to_text(shown, color=in_colour(), **options)}
    if view == "text":
        return bundle
    bundle["text/html"] = to_html(shown, **options)
    if isinstance(shown, Report | Difference) and _is_widget(view):
        bundle[WIDGET_VIEW] = _widget_view(shown, devices=devices, **options)
    return bundle


def _is_widget(view: str) -> bool:
    return view == "widget" or (view == "auto" and shows_widgets())


def _widget_view(
    shown: Report | Difference, columns: Sequence[str] = (), **options: Any
) -> dict[str, Any]:
    """Make a widget that the running cell shows, and give what names it in a bundle."""
    from ipyflops.views.shown_views import SHOWN_VIEWS

    widget = to_widget(shown, extra=columns, **options)
    SHOWN_VIEWS.add(widget)
    return {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}


def displays(
    shown: Report | Difference,
    *,
    against: Report | None = None,
    view: str = "auto",
    **options: Any,
) -> list[dict[str, Any]]:
    """Give the outputs that show a report, to be published one after the other.

    A widget is an output of its own beside the HTML; `ipyflops.views.stand_in` says why.

    Parameters
    ----------
    shown : Report or Difference
    against : Report, optional
        What the report is set against: what has changed comes first, as it is what was asked for. A
        widget has both.
    view, **options
        As for `mime_bundle`.

    Returns
    -------
    list of dict
        Bundles by MIME type.
    """
    if options.get("by") is None:
        options.pop("by", None)
    form = "text" if check_view(view) == "text" else "html"
    bundles = [mime_bundle(shown, view=form, **options)]
    if against is not None and isinstance(shown, Report):
        bundles.insert(0, mime_bundle(Difference.between(against, shown), view=form))
        options["against"] = against
    if not _is_widget(view):
        return bundles
    return beside_widget(_widget_view(shown, **options), bundles)


def show(shown: Report | Difference) -> bool:
    """Publish a result as outputs of the running cell; not where one bundle is enough or all.

    Returns
    -------
    bool
        Whether it was published.
    """
    publish = publisher()
    if publish is None:
        return False
    bundles = displays(shown, view=preferred_view())
    if len(bundles) == 1:
        return False
    for bundle in bundles:
        publish(data=bundle, metadata={})
    return True


def in_colour() -> bool:
    """Say whether what is printed goes to a terminal that has colours, and they are wanted."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") not in {"", "dumb"}
    )


# --- charts and documents ------------------------------------------------------------------------


def plot(shown: Shown, *arguments: Any, **options: Any) -> Any:
    """Draw a result with matplotlib, and give the axes.

    Parameters
    ----------
    shown : Report, Difference, Sweep or another result
    *arguments, **options
        Of a report the kind of chart (``bar``, ``roofline``, ``memory`` or ``icicle``) and what the
        function of that name in `ipyflops.views.charts` takes; else what
        `ipyflops.views.changes.chart.plot` or `ipyflops.views.sweep.chart.plot` takes.

    Raises
    ------
    ValueError
        If there is no such kind of chart, or an option has a value that it cannot have.
    """
    from ipyflops.views.charts.axes import write_in_any_script

    axes = _axes(shown, *arguments, **options)
    write_in_any_script(axes)
    return axes


def _axes(shown: Shown, *arguments: Any, **options: Any) -> Any:
    if isinstance(shown, Report):
        from ipyflops.views.charts.bars import bar
        from ipyflops.views.charts.icicle import icicle
        from ipyflops.views.charts.memory import memory
        from ipyflops.views.charts.roofline import roofline

        kind, *others = arguments
        charts: dict[str, Any] = {
            "bar": bar,
            "roofline": roofline,
            "memory": memory,
            "icicle": icicle,
        }
        return charts[check_choice(kind, charts, f"there is no chart {kind!r}")](
            shown, *others, **options
        )
    if isinstance(shown, Difference):
        from ipyflops.views.changes import chart as changes

        return changes.plot(shown, *arguments, **options)
    if isinstance(shown, ShownAsTable):
        from ipyflops.views.side_by_side.charts import plot as plot_table

        return plot_table(shown, *arguments, **options)
    from ipyflops.views.sweep import chart as sweep

    return sweep.plot(shown, *arguments, **options)


def document(
    shown: Shown, form: Form, *, caption: str | None = "", label: str = "", **options: Any
) -> str:
    """Write a result for another program.

    Parameters
    ----------
    shown : Report, Difference, Sweep or another result
        A report where the form is a sentence or a flame graph.
    form : {"markdown", "latex", "sentence", "speedscope", "chrome_trace"}
    caption, label : str
        Of a table; the label in LaTeX alone. A report has a caption of its own where it is None.
    **options
        Of a table, as `ipyflops.views.documents.report_table.report_table`,
        `ipyflops.views.changes.table.changes_table` or
        `ipyflops.views.sweep.table.growth_table` takes them; of a sentence, as
        `ipyflops.views.documents.citation.citation` does.
    """
    if form == "markdown":
        from ipyflops.views.documents.markdown import markdown

        table = markdown(_table(shown, options))
        if isinstance(shown, Report) and caption is None:
            from ipyflops.views.documents.citation import caption_of
            from ipyflops.views.documents.markdown import escaped

            caption = escaped(caption_of(shown))
        return f"{table}\n\n{caption}" if caption else table
    if form == "latex":
        from ipyflops.views.documents.latex import latex

        if isinstance(shown, Report) and caption is None:
            from ipyflops.views.documents.citation import caption_of
            from ipyflops.views.documents.latex import escaped as in_latex

            caption = in_latex(caption_of(shown))
        caption = caption or ""
        return latex(_table(shown, options), caption=caption, label=label)
    assert isinstance(shown, Report)
    if form == "sentence":
        from ipyflops.views.documents.citation import citation

        return citation(shown, **options)
    if form == "speedscope":
        from ipyflops.views.documents.speedscope import to_speedscope as to_profile
    else:
        from ipyflops.views.documents.chrome_trace import to_chrome_trace as to_profile
    return json.dumps(to_profile(shown), separators=(",", ":"), ensure_ascii=False)


def _table(shown: Shown, options: dict[str, Any]) -> Any:
    if isinstance(shown, Report):
        from ipyflops.views.documents.report_table import report_table

        return report_table(shown, **options)
    if isinstance(shown, Difference):
        from ipyflops.views.changes.table import changes_table

        return changes_table(shown, **options)
    if isinstance(shown, ShownAsTable):
        from ipyflops.views.side_by_side.choosing import titled_table

        return titled_table(shown).table
    from ipyflops.views.sweep.table import growth_table

    return growth_table(shown, **options)


def to_frame(shown: Shown, **options: Any) -> Any:
    """Give a result as a pandas data frame; see `ipyflops.views.documents.frame`.

    Raises
    ------
    ImportError
        If pandas is not installed; the message says how to install it.
    """
    try:
        import pandas  # noqa: F401
    except ImportError as error:
        asker = type(shown).__name__
        raise ImportError(f"{asker}.to_frame needs pandas: pip install pandas") from error
    from ipyflops.views.documents import frame

    if isinstance(shown, Report):
        return frame.to_frame(shown, **options)
    if isinstance(shown, Difference):
        return frame.difference_to_frame(shown)
    if isinstance(shown, ShownAsTable):
        from ipyflops.views.side_by_side.choosing import frame_records

        return frame.records_to_frame(frame_records(shown))
    return frame.sweep_to_frame(shown)
