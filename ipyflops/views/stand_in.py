"""The HTML that stands in for a widget wherever none lives.

One output that offers the widget and the HTML is not enough. A notebook that is opened again
has the widget's name and no widget; JupyterLab then says so in an error, and leaves the HTML
beside it alone. So the HTML is an output of its own. The living widget hides it
(``static/parts.js``), by its key, wherever both are in one page. Where no widget comes to
life within a moment, the HTML shows, and hides what JupyterLab says in the widget's place.
Front ends that do leave the widget alone where they lack it (VS Code, nbconvert, GitHub) find
something empty beside its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
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


def beside_widget(
    widget_view: dict[str, Any], bundles: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Give the output of a widget, and the one that stands in for it.

    Parameters
    ----------
    widget_view : dict
        What names the widget in a bundle.
    bundles : sequence of dict
        What the widget shows, as texts and as HTML; the first stands on top.
    """
    texts, pages = ([one[form] for one in bundles] for form in ("text/plain", "text/html"))
    html = _STAND_IN.format(key=widget_view["model_id"], patience=PATIENCE, html="\n".join(pages))
    return [
        {WIDGET_VIEW: widget_view, "text/html": _NOTHING},
        {"text/plain": "\n\n".join(texts), "text/html": html},
    ]
