"""What is measured: each metric once, with its name, its unit and how it is taken from totals.

Reports, views and the browser read it from here, so a new metric, or a new column of the tables, is
one entry of `METRICS`. `ipyflops.costs.totals` has the numbers that are added up, and every other
metric is a ratio of two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ipyflops.costs.cost import Cost
from ipyflops.costs.metric import Metric


class Call(Protocol):
    """What is known of one call of an operator, as `ipyflops.report.tables.Signature` has it."""

    @property
    def cost(self) -> Cost:
        """What it computes."""

    @property
    def bytes(self) -> int:
        """Bytes read and written."""

    @property
    def communicated(self) -> int:
        """Bytes of a collective's payload."""


#: What one call adds to totals; what is not here depends on the convention, the peak or the clock.
OF_CALL: dict[str, Callable[[Call], int]] = {
    "macs": lambda call: call.cost.macs,
    "int_ops": lambda call: call.cost.integer.value,
    "bytes": lambda call: call.bytes,
    "communicated": lambda call: call.communicated,
}


_VARIES = "varies where later calls differ"


def _of_module(key: str, tip: str, needs: str, **more: Any) -> Metric:
    """Make a metric of the module itself, which is shown where it is asked for."""
    return Metric(
        key, key, tip, needs=(needs,), adds_up=False, of_place=True, optional=True, **more
    )


#: Every metric by its key, in the order in which frames and the browser have them.
METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(
            "flops",
            "FLOPs",
            "Floating point operations",
            "Floating point operations, under the convention",
            unit="FLOPs",
            name="FLOPs",
        ),
        Metric(
            "share",
            "share",
            "Share of the FLOPs of the run, in the colour of the phase",
            "Share of the whole run, in the colours of the phases",
            format="share",
            phrase="of all",
            needs=("flops",),
            ratio=("flops", "flops"),
            of_whole=True,
        ),
        Metric(
            "macs",
            "MACs",
            "Multiply-accumulates of matrix products, convolutions and attention; 1 MAC = 2 FLOPs",
            unit="MACs",
            name="MACs",
            needs=("macs",),
        ),
        Metric(
            "int_ops",
            "int ops",
            "Integer operations, which are never part of the FLOPs",
            name="integer ops",
            phrase="integer operations",
            needs=("int_ops",),
            column="integer",
        ),
        Metric(
            "replicated",
            "replicated",
            "FLOPs that another rank had computed already",
            unit="FLOPs",
            name="replicated FLOPs",
            needs=("replicated",),
            of_ranks=True,
            column="replicated_flops",
        ),
        Metric(
            "replicated_share",
            "replicated",
            "Share of its FLOPs that another rank had computed already",
            "Share of its FLOPs that another rank had computed already, on the same values",
            format="share",
            phrase="replicated",
            needs=("replicated",),
            adds_up=False,
            ratio=("replicated", "flops"),
            of_ranks=True,
            column="replicated",
        ),
        Metric(
            "communicated",
            "communicated",
            "Payload of the collectives",
            "Payload of the collectives: what a rank hands in or gets, whichever is more",
            unit="B",
            name="bytes communicated",
            phrase="communicated",
            needs=("communicated",),
            of_ranks=True,
        ),
        Metric(
            "module_calls",
            "calls",
            "How often the module was called",
            name="calls",
            phrase="calls",
            adds_up=False,
            of_place=True,
            column="calls",
        ),
        Metric(
            "flops_per_call",
            "FLOPs/call",
            "FLOPs of one call of the module: those of all its calls by their number",
            unit="FLOPs",
            name="FLOPs per call",
            phrase="per call",
            needs=("repeated_calls",),
            adds_up=False,
            of_place=True,
        ),
        Metric(
            "calls",
            "calls",
            "Operator calls: views, which do nothing, are not among them",
            name="operator calls",
            phrase="calls",
            column="operators",
        ),
        Metric(
            "parameters",
            "params",
            "Elements of the parameters, those of its children included",
            "Elements of the parameters, those of the modules inside included",
            name="parameters",
            phrase="parameters",
            needs=("parameters",),
            adds_up=False,
            of_place=True,
        ),
        _of_module(
            "trainable",
            "Parameters that require a gradient, those of its children included",
            "trainable",
            name="trainable parameters",
            phrase="trainable parameters",
        ),
        _of_module(
            "frozen",
            "Parameters that require no gradient, those of its children included",
            "trainable",
            name="frozen parameters",
            phrase="frozen parameters",
        ),
        _of_module(
            "input",
            f"Shapes of the tensors that went into the first call of the module; {_VARIES}",
            "shapes",
            format="text",
        ),
        _of_module(
            "output",
            f"Shapes of the tensors that came out of the first call of the module; {_VARIES}",
            "shapes",
            format="text",
        ),
        _of_module("kernel", "Kernel size of the module", "kernel", format="text"),
        Metric(
            "activations",
            "acts",
            "Elements of the outputs of convolutions, linear layers and matrix products in the "
            "forward pass; in millions, the MActs of papers on vision",
            name="activations",
            phrase="activations",
            needs=("activations",),
            optional=True,
        ),
        Metric(
            "parameter_bytes",
            "param bytes",
            "Bytes of the parameters, those of its children included",
            unit="B",
            name="bytes of parameters",
            needs=("memory",),
            adds_up=False,
            of_place=True,
        ),
        Metric(
            "saved_bytes",
            "saved",
            "Bytes that its forward leaves for the backward",
            unit="B",
            name="bytes saved",
            phrase="saved for the backward",
            needs=("memory",),
            of_place=True,
        ),
        Metric(
            "peak_bytes",
            "live peak",
            "The most bytes of tensors that were live while it ran",
            "The most bytes of the run's tensors that were live while it, or a module inside, ran",
            unit="B",
            name="live bytes",
            phrase="live at once",
            needs=("memory",),
            adds_up=False,
            of_place=True,
        ),
        Metric(
            "seconds",
            "time",
            "Kernel time, one run",
            "Kernel time, one run: the time inside the operators, without Python",
            format="time",
            unit="s",
            name="kernel time",
            phrase="in kernels",
            needs=("seconds",),
        ),
        Metric(
            "time_share",
            "time share",
            "Share of the kernel time of the run",
            format="share",
            phrase="of the kernel time",
            needs=("seconds",),
            ratio=("seconds", "seconds"),
            of_whole=True,
            optional=True,
        ),
        Metric(
            "flops_per_second",
            "rate",
            "FLOPs per second of kernel time",
            format="rate",
            unit="FLOPS",
            name="FLOPS",
            quantity="rate",
            needs=("seconds",),
            adds_up=False,
            ratio=("flops", "seconds"),
            column="rate",
        ),
        Metric(
            "utilization",
            "of peak",
            "Share of the peak, by all FLOPs",
            "All FLOPS as a share of the measured peak, each dtype by its own, in kernel time; "
            "what is recomputed and what is no product counts too",
            format="share",
            phrase="of peak",
            needs=("seconds", "peak"),
            adds_up=False,
            ratio=("peak_seconds", "seconds"),
            optional=True,
        ),
        Metric(
            "mfu",
            "MFU",
            "Model FLOPs utilisation: share of the peak, by products, without recomputation",
            "Model FLOPs utilisation: products of the forward and backward pass, without "
            "recomputation, as a share of the measured peak, each dtype by its own",
            format="share",
            phrase="MFU",
            needs=("seconds", "mfu_seconds"),
            adds_up=False,
            ratio=("mfu_seconds", "seconds"),
        ),
        Metric(
            "hfu",
            "HFU",
            "Hardware FLOPs utilisation: share of the peak, by products, with recomputation",
            "Hardware FLOPs utilisation: as MFU, with what is recomputed",
            format="share",
            phrase="HFU",
            needs=("seconds", "recomputed_seconds"),
            adds_up=False,
            ratio=("hfu_seconds", "seconds"),
        ),
        Metric(
            "bytes",
            "bytes",
            "Bytes of the tensors read and written, once each for every operator call",
            unit="B",
            name="bytes",
            quantity="traffic",
        ),
        Metric(
            "intensity",
            "FLOPs/B",
            "Arithmetic intensity: FLOPs per byte read or written",
            format="rate",
            name="FLOPs per byte",
            phrase="FLOPs per byte",
            adds_up=False,
            ratio=("flops", "bytes"),
        ),
    )
}
