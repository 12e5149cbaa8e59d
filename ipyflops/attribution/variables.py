"""What the user calls a module or an optimizer: one ordered list of where names come from.

1. The counted code: a variable that it names, or a chain such as ``agent.actor``, each part of
   which it names.
2. Other variables of the user's files and cells.
3. What these lead to: ``agent.actor``, ``model.encoder``.
4. Variables of libraries. A name of theirs says whose it is, as ``func (torchdiffeq)``.

Registered names of what encloses a module come before all these: they are found in `places`.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from ipyflops.attribution.frames import read_variables
from ipyflops.attribution.holdings import Holdings, Way, is_holder
from ipyflops.attribution.modules import unwrap_compiled
from ipyflops.cells import is_installed, package_of

#: What IPython puts among the user's variables.
_OF_IPYTHON = frozenset(("In", "Out", "exit", "quit", "get_ipython", "open"))
#: Of so many code objects it is remembered what they name: to take one apart takes milliseconds.
REMEMBERED = 64


class UserName(NamedTuple):
    """What the user calls a module or an optimizer.

    Attributes
    ----------
    label : str
        As ``model`` or ``agent.actor``.
    owner : Module or Optimizer
        What has this name: the thing itself, or a module that it is registered below.
    below : tuple of str
        The registered names that lead from the owner down to it.
    package : str
        The library whose variable it is; empty for the user's own.
    is_shared : bool
        Whether others have had the same name.
    """

    label: str
    owner: Any
    below: tuple[str, ...] = ()
    package: str = ""
    is_shared: bool = False


class _Variable(NamedTuple):
    name: str
    value: Any
    #: Whether the code of the frame names it.
    in_code: bool
    frame: FrameType
    #: Whether it is what a method is called on.
    is_self: bool = False


def namespaces(frames: Iterable[FrameType]) -> Iterator[Mapping[str, Any]]:
    """Give the variables of frames: of each its own, then those of its file, each only once."""
    for _, variables in _namespaces(frames):
        yield variables


def _namespaces(frames: Iterable[FrameType]) -> Iterator[tuple[FrameType, Mapping[str, Any]]]:
    seen: set[int] = set()
    for frame in frames:
        own = read_variables(frame)
        if own is not frame.f_globals:
            yield frame, own
        if id(frame.f_globals) not in seen:
            seen.add(id(frame.f_globals))
            yield frame, frame.f_globals


class UserNames:
    """Finds the names of modules and optimizers."""

    def __init__(self) -> None:
        self._holdings = Holdings()

    def find(
        self,
        holder: object,
        groups: tuple[Sequence[FrameType], Sequence[FrameType]],
        is_taken: Callable[[str], bool] = lambda name: False,
        *,
        everywhere: bool = True,
    ) -> UserName | None:
        """Give the name of a module or an optimizer; None if no variable leads to it.

        Parameters
        ----------
        holder : Module or Optimizer
        groups : (sequence of frame, sequence of frame)
            The frames of the counted code, and others around, each in the order in which to look.
        is_taken : callable
            Whether a name is another's. One variable may hold one module after the other: then
            what leads to each of them is better.
        everywhere : bool
            Whether to look into what the variables hold that the counted code does not name.
        """
        counted, others = groups
        own = [one for one in others if not is_installed(one.f_code.co_filename)]
        variables = list(_variables(counted))
        loops = {name for frame in counted for name in _loop_variables(frame.f_code)}
        names: list[str] = []

        def is_good(name: str) -> bool:
            return name not in loops and not is_taken(name)

        for _, of_frame in groupby(variables, lambda one: id(one.frame)):
            candidates = list(of_frame)
            named = _named_in_code(holder, candidates)
            names += named
            if good := list(filter(is_good, named)):
                return UserName(good[0], holder)
            if (found := self._spelled_out(holder, candidates)) is not None:
                return found
        of_others = list(_variables(own))
        # A loop around the counted code may go over models: then its variable is their name.
        loops.update(name for frame in own for name in _loop_variables(frame.f_code))
        names += [*_named_in_code(holder, of_others), *_held_by(holder, variables + of_others)]
        if good := list(filter(is_good, names)):
            return UserName(good[0], holder)
        name = self._lead_to(holder, variables + of_others) if everywhere else None
        if name is None and names:
            return UserName(names[0], holder, is_shared=is_taken(names[0]))
        return name or _of_library(holder, others, own)

    def _spelled_out(self, holder: object, variables: Iterable[_Variable]) -> UserName | None:
        """A way each part of which the code of the frame names, but for the indices of items."""
        for one in variables:
            if one.in_code and (way := self._way(one, holder)) is not None:
                named = set(one.frame.f_code.co_names)
                if all(part in named or part.isdigit() for part in way.names + way.below):
                    return _joined(one, way)
        return None

    def _lead_to(self, holder: object, variables: Iterable[_Variable]) -> UserName | None:
        """The shortest way from any variable; one that code names may be a step further off."""
        ways: list[tuple[_Variable, Way]] = []
        seen: set[tuple[str, int]] = set()
        for one in variables:
            if (one.name, id(one.value)) in seen:
                continue
            seen.add((one.name, id(one.value)))
            way = self._way(one, holder)
            if way is not None:
                ways.append((one, way))
        return _joined(*min(ways, key=_length)) if ways else None

    def _way(self, variable: _Variable, holder: object) -> Way | None:
        return self._holdings.find(variable.name, unwrap_compiled(variable.value), holder)


def _length(found: tuple[_Variable, Way]) -> tuple[int, bool]:
    """How long a way is; of two, the one from a variable says more than the one from ``self``."""
    variable, way = found
    is_near = variable.in_code and not variable.is_self
    return len(way.names) + len(way.below) + (not is_near), variable.is_self


def _joined(variable: _Variable, way: Way) -> UserName:
    own = [] if variable.is_self and way.names else [variable.name]
    return UserName(".".join([*own, *way.names]), way.owner, way.below)


def _variables(frames: Iterable[FrameType]) -> Iterator[_Variable]:
    """The variables of frames that may be a name for something."""
    for frame, namespace in _namespaces(frames):
        code = frame.f_code
        named = {*code.co_names, *code.co_varnames, *code.co_cellvars, *code.co_freevars}
        for name, value in list(namespace.items()):
            # IPython's history variables (_, __, _5) hold results too, but are nobody's name for
            # them. A module's own `self` is no name; that of a plain object leads to others.
            if type(name) is not str or not name.isidentifier() or name in _OF_IPYTHON:
                continue
            if not name.startswith("_"):
                is_self = _is_self(name, value, code)
                if not (is_self and is_holder(value)):
                    yield _Variable(name, value, name in named, frame, is_self)


def _is_self(name: str, value: object, code: CodeType) -> bool:
    """Whether code is a method and the variable is what it is called on, whatever its name."""
    if name == "self":
        return True
    if not code.co_argcount or name != code.co_varnames[0]:
        return False
    methods = (vars(one).get(code.co_name) for one in type(value).__mro__)
    return any(
        type(one) is FunctionType
        and code in (one.__code__, getattr(getattr(one, "__wrapped__", None), "__code__", None))
        for one in methods
    )


def _named_in_code(holder: object, variables: Iterable[_Variable]) -> list[str]:
    """The variables that hold it and that the code of their frame names.

    Those of the first frame come first, and of these the ones on the line at work. A variable that
    holds it compiled comes last.
    """
    found = [one for one in variables if one.in_code and unwrap_compiled(one.value) is holder]
    if len(found) > 1:
        frame = found[0].frame
        on_line = _names_on_line(frame.f_code, frame.f_lineno)
        found.sort(
            key=lambda one: (
                one.frame is not frame,
                one.frame is frame and one.name not in on_line,
                one.value is not holder,
            )
        )
    return [one.name for one in found]


def _held_by(holder: object, variables: Iterable[_Variable]) -> list[str]:
    """The variables that hold it; those that hold it compiled come last."""
    found = [one for one in variables if unwrap_compiled(one.value) is holder]
    return [one.name for one in sorted(found, key=lambda one: one.value is not holder)]


@lru_cache(maxsize=REMEMBERED)
def _names_on_line(code: CodeType, number: int) -> frozenset[str]:
    """The variables that code names on one of its lines."""
    spans = [(first, last) for first, last, line in code.co_lines() if line == number]
    return frozenset(
        one.argval
        for one in dis.get_instructions(code)
        if type(one.argval) is str and any(first <= one.offset < last for first, last in spans)
    )


@lru_cache(maxsize=REMEMBERED)
def _loop_variables(code: CodeType) -> frozenset[str]:
    """The variables that the loops of code assign: what is looped over has a better name."""
    names: set[str] = set()
    assigns = False
    for one in dis.get_instructions(code):
        if one.opname == "FOR_ITER":
            assigns = True
        elif assigns and one.opname.startswith("STORE_"):
            names.update(_stored(one))
        elif not one.opname.startswith(("UNPACK_", "EXTENDED_ARG", "NOP", "CACHE")):
            assigns = False
    return frozenset(names)


def _stored(instruction: dis.Instruction) -> tuple[str, ...]:
    """The variables that an instruction assigns; from Python 3.13 on it may name another one."""
    name = instruction.argval
    if type(name) is not tuple:
        return (str(name),)
    return name[:1] if instruction.opname.endswith("LOAD_FAST") else name


def _of_library(
    holder: object, others: Iterable[FrameType], own: Sequence[FrameType]
) -> UserName | None:
    """The variable of a library that holds it, from the inside out, and whose it is."""
    mine = set(map(id, own))
    for frame in others:
        if id(frame) in mine:
            continue
        for name, value in read_variables(frame).items():
            if name != "self" and not name.startswith("_") and unwrap_compiled(value) is holder:
                package = package_of(frame)
                return UserName(f"{name} ({package})", holder, (), package)
    return None
