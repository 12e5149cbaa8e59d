"""What is the result of a count?

A `Report` is plain data: flat tables, and what is computed from them. This folder imports neither
PyTorch nor IPython. Other folders import only from here.
"""

from __future__ import annotations

from ipyflops.costs import printable
from ipyflops.report.ceilings import Peak, Rate, real_dtype
from ipyflops.report.collectives import COLLECTIVE_OF, COLLECTIVES
from ipyflops.report.comparison import MEASURES, Comparison, compare
from ipyflops.report.data_sheets import DATA_SHEETS, DataSheet, data_sheet_of
from ipyflops.report.devices import Device, read_device
from ipyflops.report.difference import Change, Status
from ipyflops.report.estimate_parts import Part
from ipyflops.report.estimates import Estimate, Estimates, SweepEstimate, on
from ipyflops.report.excerpts import Excerpt, LineCount, Source
from ipyflops.report.explanation import FREE, Explanation
from ipyflops.report.files import read_bounded, written_whole
from ipyflops.report.growth import Growth, VariableGrowth, fit
from ipyflops.report.last_report import LAST_REPORT, last
from ipyflops.report.memory import (
    MEMORY_KINDS,
    DeviceMemory,
    Holding,
    Memory,
    MemoryKind,
    MemoryPoint,
    PlaceMemory,
)
from ipyflops.report.merging import merge_ranks
from ipyflops.report.polynomials import Term, Variable
from ipyflops.report.report import Difference, Report
from ipyflops.report.rules import ModelSizes, Rule, RuleComparison
from ipyflops.report.run import Rank
from ipyflops.report.serialization.reading import MAX_NUMBER, ReportFormatError
from ipyflops.report.serialization.reports import MAX_FILE_BYTES
from ipyflops.report.shown_tables import ShownAsTable
from ipyflops.report.sweep import PEAK, Point, Sweep, counts_of, growth_of
from ipyflops.report.tables import (
    NO_SHAPES,
    NUMPY_UNSEEN,
    PHASES,
    VARIES,
    VIEWS_ONLY,
    Line,
    ModuleShapes,
    Phase,
    Row,
    Scope,
    ScopeKind,
    Signature,
    TotalsSum,
    VerdictName,
)
from ipyflops.report.timing import Timing
from ipyflops.report.tree import Node, walk

__all__ = [
    "COLLECTIVES",
    "COLLECTIVE_OF",
    "DATA_SHEETS",
    "FREE",
    "LAST_REPORT",
    "MAX_FILE_BYTES",
    "MAX_NUMBER",
    "MEASURES",
    "MEMORY_KINDS",
    "NO_SHAPES",
    "NUMPY_UNSEEN",
    "PEAK",
    "PHASES",
    "VARIES",
    "VIEWS_ONLY",
    "Change",
    "Comparison",
    "DataSheet",
    "Device",
    "DeviceMemory",
    "Difference",
    "Estimate",
    "Estimates",
    "Excerpt",
    "Explanation",
    "Growth",
    "Holding",
    "Line",
    "LineCount",
    "Memory",
    "MemoryKind",
    "MemoryPoint",
    "ModelSizes",
    "ModuleShapes",
    "Node",
    "Part",
    "Peak",
    "Phase",
    "PlaceMemory",
    "Point",
    "Rank",
    "Rate",
    "Report",
    "ReportFormatError",
    "Row",
    "Rule",
    "RuleComparison",
    "Scope",
    "ScopeKind",
    "ShownAsTable",
    "Signature",
    "Source",
    "Status",
    "Sweep",
    "SweepEstimate",
    "Term",
    "Timing",
    "TotalsSum",
    "Variable",
    "VariableGrowth",
    "VerdictName",
    "compare",
    "counts_of",
    "data_sheet_of",
    "fit",
    "growth_of",
    "last",
    "merge_ranks",
    "on",
    "printable",
    "read_bounded",
    "read_device",
    "real_dtype",
    "walk",
    "written_whole",
]
