"""A report as the outputs of a cell: the widget, and the HTML that stands in for it.

One output that offers both is not enough. A notebook that is opened again has the widget's name
and no widget; JupyterLab then says so in an error, and leaves the HTML beside it alone. So the HTML
is an output of its own. The living widget hides it (``static/stand_in.js``), by its key, wherever
both are in one page. Where no widget comes to life within a moment, the HTML shows, and hides what
JupyterLab says in the widget's place. Front ends that do leave the widget alone where they lack it
(VS Code, nbconvert, GitHub) find something empty beside its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipyflops import views

if TYPE_CHECKING:
    from ipyflops.report.report import Report

#: Seconds that a widget has to appear before the HTML does.
PATIENCE = 2

_NOTHING = "<span></span>"
_STAND_IN = """\
<div class="ipyflops-stand-in" data-ipyflops-key="{key}">
<style>
@keyframes ipyflops-wait {{ from, to {{ max-height: 0; overflow: hidden; visibility: hidden; }} }}
.ipyflops-stand-in {{ animation: ipyflops-wait {patience}s; }}
.jp-OutputArea-child:not(:has(.ipyflops-widget)):has(\
+ .jp-OutputArea-child [data-ipyflops-key="{key}"]) {{ display: none; }}
</style>
{html}
</div>"""


def displays(report: Report, **options: Any) -> list[dict[str, Any]]:
    """Give the outputs that show a report, to be published one after the other.

    Parameters
    ----------
    report : Report
    **options
        As for `ipyflops.views.mime_bundle`.

    Returns
    -------
    list of dict
        Bundles by MIME type.
    """
    bundle = views.mime_bundle(report, **options)
    view = bundle.pop(views.WIDGET_VIEW, None)
    if view is None:
        return [bundle]
    bundle["text/html"] = _STAND_IN.format(
        key=view["model_id"], patience=PATIENCE, html=bundle["text/html"]
    )
    return [{views.WIDGET_VIEW: view, "text/html": _NOTHING}, bundle]
