"""Fourier transforms: the usual count of the fast algorithm, whatever the length.

A complex transform of length N by radix 2 takes N/2·log2(N) butterflies of a complex multiplication
and two complex additions, 10 real operations: 5·N·log2(N). That is the figure by which the FFTW
project and the HPC Challenge rate transforms of any length, and of several dims with N the product
of the sizes. A transform from or to real numbers needs half of it: the other half of the spectrum
is its mirror image. A split radix takes about a fifth less.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import cost
from ipyflops.formulas.registry import formula

_NOTE = "5·N·log2(N), the customary count of a fast transform; N points in each of L transforms"


def _transforms(call: Call, each: str, sizes: list[int], points: int, scaled: str) -> Cost:
    """Cost of all transforms of a call.

    Parameters
    ----------
    call : Call
        Tells by its `normalization` whether the result is scaled.
    each : str
        The count of one transform of N points; it is rounded for each, so that a batch of them
        costs what they cost one by one.
    sizes : list of int
        The sizes of the transformed dims.
    points : int
        The points of all transforms.
    scaled : str
        Expression for the multiplications that scale the spectrum, in n elements of the result.
    """
    n = 1
    for size in sizes:
        n *= size
    if points == 0 or n == 0:
        return Cost()
    symbols = {"N": n, "L": points // n}
    expression = f"L·round({each})"
    if call.get("normalization", 0) != 0:
        expression += f" + {scaled}"
        symbols["n"] = first_output(call).numel()
    return cost(symbols, other=expression, note=_NOTE)


@formula("aten::_fft_c2c", "prims::fft_c2c")
def complex_to_complex(call: Call) -> Cost:
    """5·N·log2(N) for each transform; a scaled spectrum is 2 multiplications an element more."""
    signal: Tensor = call["self"]
    sizes = [signal.shape[dim] for dim in call["dim"]]
    return _transforms(call, "5·N·log2(N)", sizes, signal.numel(), "2·n")


@formula("aten::_fft_r2c", "prims::fft_r2c")
def real_to_complex(call: Call) -> Cost:
    """Half of the complex count, for N real points.

    The scaling is of the half that is computed, N/2 + 1 values along the last dim; in a two-sided
    spectrum the others are copies.
    """
    signal: Tensor = call["self"]
    sizes = [signal.shape[dim] for dim in call["dim"]]
    scaled = "2·n" if call["onesided"] else "n"
    return _transforms(call, "5·N·log2(N)/2", sizes, signal.numel(), scaled)


@formula("aten::_fft_c2r", "prims::fft_c2r")
def complex_to_real(call: Call) -> Cost:
    """Half of the complex count, for the N real points of the result."""
    signal = first_output(call)
    sizes = [signal.shape[dim] for dim in call["dim"]]
    return _transforms(call, "5·N·log2(N)/2", sizes, signal.numel(), "n")


@formula("aten::fft_fftfreq", "aten::fft_rfftfreq")
def frequencies(call: Call) -> Cost:
    """Whole numbers times 1/(n·d)."""
    return Cost.of(other="n", n=first_output(call).numel())
