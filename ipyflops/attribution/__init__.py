"""In which module, on which line and in which phase did it run?

Read from the Python stack and from the numbers of autograd's nodes, with no hooks. `Locator`
answers for each operator. The words, each for one thing:

place (`Place`)
    A module, an optimizer, or a function or line of code outside both. ``model.encoder`` is a
    place.
location (`Location`)
    A place together with a line of the user's file and a phase. "``model.encoder``, called on line
    3, backward" is a location. The counter keeps its sums by it.
phase (`Phase`)
    ``forward``, ``backward``, ``recompute`` (a forward that checkpointing runs again during the
    backward pass) or ``optimizer`` (what changes parameters and gradients beside autograd).
line (`LineKey`)
    The name of the user's file and a number. ``model(x)`` stands on a line.
method line (`MethodLine`)
    A line of a module's own method, with the lines that led to it. Line 12 of ``Block.forward`` is
    one. They are told apart only with ``follow_methods``.
mark (`Mark`)
    What is put on a living frame to say where its operators run. The frame of ``Encoder.forward``
    is marked with a location, a frame of the user's file with a `UserFrame`.
node
    A node of PyTorch's autograd graph, as ``AddmmBackward0``. Nothing else is called so here.

In a report a place becomes a `Scope`, a row of a table, and a `Node` of the tree that is shown.
"""

from __future__ import annotations

from ipyflops.attribution.biases import BIAS, Biases, bias_part
from ipyflops.attribution.frame_marking import NOT_EAGERLY
from ipyflops.attribution.frames import read_variables
from ipyflops.attribution.lines import LineKey, MethodLine
from ipyflops.attribution.location_table import LocationTable
from ipyflops.attribution.locator import Locator
from ipyflops.attribution.marks import Location
from ipyflops.attribution.modules import vars_of
from ipyflops.attribution.parameters import parameter_bytes, trainable_elements
from ipyflops.attribution.places import Place
from ipyflops.attribution.this_thread import THREAD, Token, frames_of_threads

__all__ = [
    "BIAS",
    "NOT_EAGERLY",
    "THREAD",
    "Biases",
    "LineKey",
    "Location",
    "LocationTable",
    "Locator",
    "MethodLine",
    "Place",
    "Token",
    "bias_part",
    "frames_of_threads",
    "parameter_bytes",
    "read_variables",
    "trainable_elements",
    "vars_of",
]
