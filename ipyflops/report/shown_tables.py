"""What results that are one table have in common: how they are shown and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas


class ShownAsTable:
    """The part of an `Estimate`, a `Comparison` and their like that is shown by the views."""

    def to_markdown(self) -> str:
        """Return the table in Markdown."""
        from ipyflops.views import document

        return document(self, "markdown")

    def to_latex(self, *, caption: str = "", label: str = "") -> str:
        """Return the table in LaTeX; `caption` and `label` are as for `Report.to_latex`."""
        from ipyflops.views import document

        return document(self, "latex", caption=caption, label=label)

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas data frame with the numbers of the table, in their plain units.

        Errors are those of `Report.to_frame`.
        """
        from ipyflops.views import to_frame

        frame: pandas.DataFrame = to_frame(self)
        return frame

    def __str__(self) -> str:
        from ipyflops.views import to_text

        return to_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from ipyflops.views import mime_bundle

        return mime_bundle(self, view="html")
