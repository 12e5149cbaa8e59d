"""A report as one sentence for a paper: the number, and what it takes to check it."""

from __future__ import annotations

from importlib.metadata import version

from ipyflops.report import Report
from ipyflops.units import scaled
from ipyflops.views.rows.visible import visible

#: What a convention counts, as a reader of a paper has to know it.
_COUNTED = {
    "standard": "all floating-point operations",
    "contractions": "matrix products, convolutions and attention only",
    "article": 'by the layer formulas of the article "Flops Model"',
}
_PHASES = {
    "forward": "forward pass",
    "backward": "backward pass",
    "recompute": "recomputation",
    "optimizer": "optimizer step",
}


def citation(report: Report, *, of: str = "", input: str = "") -> str:
    """Write the sentence.

    Parameters
    ----------
    report : Report
    of : str
        What was counted; the outermost modules where it is left out.
    input : str
        What went in, as ``one image of 224 × 224 pixels``.

    Returns
    -------
    str
        With the FLOPs in full, the MACs, the convention, the phases, the dtypes and the versions.
        Calls without a formula, and a run that was cut short, are said in a second sentence.
    """
    name = of or _modules(report)
    subject = f"{name} with {input}" if input else name
    phases = _listed([_PHASES[phase] for phase, one in report.by_phase.items() if one.flops])
    dtypes = _listed([dtype for dtype, one in report.by_dtype.items() if one.flops])
    sentence = (
        f"{subject} takes {scaled(report.flops, 'FLOPs')} ({report.flops:,} FLOPs, "
        f"{scaled(report.macs, 'MACs')}; 1 MAC = 2 FLOPs)"
        f"{f' in {dtypes}' if dtypes else ''}{f' for the {phases}' if phases else ''}, "
        f'under the convention "{report.convention}" ({_COUNTED[report.convention]}), '
        f"counted by ipyflops {version('ipyflops')} with PyTorch {version('torch')}."
    )
    return " ".join([visible(sentence), *_missing(report)])


def caption_of(report: Report) -> str:
    """Write the caption of a table: the whole in FLOPs and MACs, and the convention."""
    caption = (
        f"{scaled(report.flops, 'FLOPs')} ({scaled(report.macs, 'MACs')}; 1 MAC = 2 FLOPs), "
        f'convention "{report.convention}": {_COUNTED[report.convention]}.'
    )
    return " ".join([visible(caption), *_missing(report)])


def _modules(report: Report) -> str:
    modules = [one for one in report.tree.children if one.kind == "module"]
    names = [one.type.rpartition(".")[2] or one.name for one in modules]
    return _listed(names) or "The counted code"


def _listed(names: list[str]) -> str:
    """The names as in a text: "a, b and c"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _missing(report: Report) -> list[str]:
    """What the number does not hold."""
    missing = []
    if report.unknown:
        missing.append(f"Operators without a formula are left out: {', '.join(report.unknown)}.")
    if not report.complete:
        missing.append("The run was cut short.")
    return [visible(one) for one in missing]
