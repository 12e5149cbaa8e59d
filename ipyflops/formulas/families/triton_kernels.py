"""Triton kernels that are launched through PyTorch (``torch.library.wrap_triton``).

What such a kernel costs only its author can say. So each kernel counts as an operator of its own,
``triton::`` and its name, which is unknown until a formula is registered for it. A kernel that is
launched by hand passes no dispatcher and is not seen.
"""

from __future__ import annotations

from ipyflops.costs.cost import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.registry import NoFormulaError, formula, registered
from ipyflops.formulas.triton_names import LAUNCHES


@formula(*LAUNCHES, by_value=True)
def triton_kernel(call: Call) -> Cost:
    """What the kernel's author has registered for it, called with the kernel's own arguments.

    These are found by their names, and the launch's ``grid`` beside them.
    """
    found = registered(call.operator)
    if found is None:
        raise NoFormulaError(call.operator)
    from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table

    constants = kernel_side_table.get_constant_args(call.kwargs["constant_args_idx"])
    arguments = {"grid": call.kwargs["grid"], **constants, **call.kwargs["kwargs"]}
    return found(Call(call.func, (), arguments, call.out, name=call.operator))
