"""A difference as a part of the widget's message: the other report, and which places are the same.

The browser has the report already. With the other one beside it, it computes what changed by any
metric and under any convention, as it computes everything else.
"""

from __future__ import annotations

from typing import Any

from ipyflops.costs import conventions
from ipyflops.report import Difference
from ipyflops.views.changes.rows import difference_headline
from ipyflops.views.widget.packing import KINDS, Texts, ints, pack, pack_headline


def pack_change(difference: Difference) -> dict[str, Any]:
    """Give what ``static/change_run.js`` reads, as `ipyflops.views.widget.packing.pack` does.

    Parameters
    ----------
    difference : Difference

    Returns
    -------
    dict
    """
    texts = Texts()
    before, after, changes = difference.before, difference.after, difference.changes
    above = {id(child): index for index, one in enumerate(changes) for child in one.children}
    return {
        # What ran on the lines of methods is no place of the tree.
        "before": {**pack(before), "excerpts": []},
        "places": {
            "parent": ints(above.get(id(one), -1) for one in changes),
            "name": ints(texts.index(one.name) for one in changes),
            "type": ints(texts.index(one.type) for one in changes),
            "kind": bytes(KINDS.index(one.kind) for one in changes),
            "before": ints(one.scopes[0] for one in changes),
            "after": ints(one.scopes[1] for one in changes),
        },
        "names": texts.all,
        "headlines": {
            name: pack_headline(difference_headline(Difference.between(before, after.under(name))))
            for name in conventions.CONVENTIONS
        },
    }
