"""One operator call as a formula sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Literal, TypeAlias

from torch import Tensor

from ipyflops.formulas.operator_names import TRITON_LAUNCHES, launched_kernel_name, operator_name
from ipyflops.formulas.special_tensors import is_sparse
from ipyflops.torch_private import schema_of

Structure: TypeAlias = Literal["sparse", "nested", "quantized"]


class Call:
    """An operator call: the operator, its arguments and its result.

    A formula reads the arguments by the names of the operator's schema, whether they were passed by
    position, by keyword or not at all.

    Parameters
    ----------
    func : torch._ops.OpOverload
        The operator.
    args : sequence
        Positional arguments.
    kwargs : mapping
        Keyword arguments.
    out : object
        The result.
    name : str, optional
        A name for the operator, if not its own.
    adds_bias : bool
        Whether it is an addition with which PyTorch adds a bias to a product that it has just
        computed.

    Examples
    --------
    >>> import torch
    >>> a, b = torch.zeros(2, 3), torch.zeros(3, 4)
    >>> call = Call(torch.ops.aten.mm.default, (a, b), {}, a @ b)
    >>> call["mat2"].shape, call.operator, call.out.shape
    (torch.Size([3, 4]), 'aten::mm', torch.Size([2, 4]))
    """

    __slots__ = (
        "_arguments",
        "_inputs",
        "_name",
        "_outputs",
        "adds_bias",
        "args",
        "func",
        "kwargs",
        "out",
    )

    def __init__(
        self,
        func: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        out: Any,
        *,
        name: str = "",
        adds_bias: bool = False,
    ) -> None:
        self._name = name
        self.adds_bias = adds_bias
        self.func = func
        self.args = args
        self.kwargs = kwargs
        self.out = out
        self._arguments: dict[str, Any] | None = None
        # Looked for once: several questions are asked about the tensors of a call.
        self._inputs: tuple[Tensor, ...] | None = None
        self._outputs: tuple[Tensor, ...] | None = None

    @property
    def operator(self) -> str:
        """The operator's name without its overload, such as ``aten::mm``; a Triton kernel's own."""
        if not self._name:
            name = operator_name(self.func)
            if name in TRITON_LAUNCHES:
                name = launched_kernel_name(self.kwargs["kernel_idx"])
            self._name = name
        return self._name

    def __getitem__(self, name: str) -> Any:
        """The argument of that name, or its default.

        Raises
        ------
        KeyError
            If the operator's schema has no such argument.
        """
        if self._arguments is None:
            self._arguments = self._bind()
        return self._arguments[name]

    def __contains__(self, name: str) -> bool:
        if self._arguments is None:
            self._arguments = self._bind()
        return name in self._arguments

    def get(self, name: str, default: Any = None) -> Any:
        """The argument of that name; `default` if the schema has none."""
        return self[name] if name in self else default  # noqa: SIM401 - this is that `get`

    def _bind(self) -> dict[str, Any]:
        schema = schema_of(self.func)
        if schema is None:
            return dict(self.kwargs)
        bound: dict[str, Any] = {}
        for position, argument in enumerate(schema.arguments):
            if position < len(self.args):
                bound[argument.name] = self.args[position]
            elif argument.name in self.kwargs:
                bound[argument.name] = self.kwargs[argument.name]
            else:
                bound[argument.name] = argument.default_value
        return bound

    def inputs(self) -> Iterator[Tensor]:
        """Every tensor in the arguments, also in lists; `out=` tensors are not inputs."""
        if self._inputs is None:
            found = [*tensors(self.args)]
            if self.kwargs:
                written = self._out_arguments()
                for name, value in self.kwargs.items():
                    if name not in written:
                        found += tensors(value)
            self._inputs = tuple(found)
        return iter(self._inputs)

    def _out_arguments(self) -> set[str]:
        """The names of the ``out=`` arguments, which are others where there is more than one."""
        schema = schema_of(self.func)
        if schema is None:
            return {"out"}
        return {argument.name for argument in schema.arguments if argument.is_out}

    def outputs(self) -> Iterator[Tensor]:
        """Every tensor of the result."""
        if self._outputs is None:
            self._outputs = tuple(tensors(self.out))
        return iter(self._outputs)

    @property
    def structure(self) -> Structure | None:
        """Whether an argument or the result is more than one dense block of numbers.

        The cost of such a call does not follow from the shapes: it must be counted every time.
        """
        for tensor in (*self.inputs(), *self.outputs()):
            if tensor.is_nested:
                return "nested"
            if is_sparse(tensor):
                return "sparse"
            if tensor.is_quantized:
                return "quantized"
        return None

    @property
    def is_complex(self) -> bool:
        """Whether the arithmetic is complex."""
        return any(tensor.is_complex() for tensor in self.inputs()) or any(
            tensor.is_complex() for tensor in self.outputs()
        )

    @property
    def is_floating(self) -> bool:
        """Whether the arithmetic is floating point (or complex), not integer or boolean."""
        return any(
            tensor.is_floating_point() or tensor.is_complex() for tensor in self.inputs()
        ) or any(tensor.is_floating_point() or tensor.is_complex() for tensor in self.outputs())


def tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in a value made of lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)


def broadcast_numel(*shapes: Sequence[int]) -> int:
    """The number of elements of the shape that some shapes broadcast to.

    `torch.broadcast_shapes` is not used: its first call loads PyTorch's Python references, which
    took 0.9 s.

    Examples
    --------
    >>> broadcast_numel((3, 1), (2, 1, 4)), broadcast_numel()
    (24, 1)
    """
    sizes_by_dim = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    return math.prod(next((size for size in sizes if size != 1), 1) for sizes in sizes_by_dim)


def first_output(call: Call) -> Tensor:
    """The first tensor of the result.

    Raises
    ------
    ValueError
        If the result holds no tensor.
    """
    for tensor in call.outputs():
        return tensor
    raise ValueError(f"{call.operator} gave no tensor")
