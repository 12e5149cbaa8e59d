"""Substitutes copies with fake tensors for all objects that code can reach by name.

Code reaches objects through names: its own variables, the globals, defaults and closures of its
functions, the attributes of its classes. During the dry run each of these places holds a copy with
fake tensors. Afterwards it holds what it held before, whatever the run did to it.

The names are read from the code and from every function that it names. Code that looks names up
itself (``eval``, ``globals``, magics) can reach all variables.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from ipyflops.cells import is_installed
from ipyflops.dry_runs.copies import CodeOwner, Copier
from ipyflops.dry_runs.freshness import Freshness
from ipyflops.dry_runs.mode import DryRunMode
from ipyflops.dry_runs.number_types import types_for

#: Code with one of these names may reach any variable.
_REACH_ALL = frozenset({"eval", "exec", "globals", "locals", "vars", "get_ipython", "__import__"})
_MISSING = object()
#: Puts a value into one place.
Setter = Callable[[Any], None]


class Substitution:
    """The places that code reaches, and the copies that are put there for a dry run.

    Parameters
    ----------
    mode : DryRunMode
    variables : iterable of mapping
        Namespaces in which all variables are the user's.
    """

    def __init__(
        self, mode: DryRunMode, variables: Iterable[MutableMapping[str, Any]] = ()
    ) -> None:
        self.copier = Copier(mode, self._add_code_owner)
        self._own: dict[int, MutableMapping[str, Any]] = {id(one): one for one in variables}
        self._seen: dict[int, Any] = {}
        self._waiting: list[CodeOwner] = []
        self._names: dict[int, set[str]] = {}
        #: The code that is reached, with its global variables.
        self._code: dict[int, tuple[MutableMapping[str, Any], list[types.CodeType]]] = {}
        #: The copies, each with the function that puts it into its place.
        self._copies: list[tuple[Setter, Any]] = []
        #: Put the places back; called in reverse order.
        self._undo: list[Callable[[], None]] = []
        #: The variables that the code reached, and the modules there were, as the copies were made.
        self._variables: list[tuple[MutableMapping[str, Any], dict[str, Any]]] = []
        self._modules: set[str] = set()
        #: The user's variables just before the run, with the copies in them.
        self._before_run: dict[int, dict[str, Any]] = {}

    # --- what the code reaches -------------------------------------------------------------------

    def add_code(
        self, parts: Iterable[types.CodeType], variables: MutableMapping[str, Any]
    ) -> None:
        """Copy what code reaches when it runs with these global variables."""
        parts = list(parts)
        self._copy_variables(names_reached(parts, variables), variables)
        self._note_code(parts, variables)
        self._copy_reached()

    def _note_code(
        self, parts: Iterable[types.CodeType], variables: MutableMapping[str, Any]
    ) -> None:
        self._code.setdefault(id(variables), (variables, []))[1].extend(parts)
        for name in {name for part in parts for name in _names(part)}:
            module = sys.modules.get(name)  # the code may import it
            if module is not None:
                self._add_code_owner(module)

    def copy(self, value: Any) -> Any:
        """Return the copy of a value, and copy what its code reaches."""
        if isinstance(value, types.FunctionType):
            self._own.setdefault(id(value.__globals__), value.__globals__)
        made = self.copier.copy(value)
        self._copy_reached()
        return made

    def _add_code_owner(self, owner: CodeOwner) -> None:
        if id(owner) not in self._seen:
            self._seen[id(owner)] = owner
            self._waiting.append(owner)

    def _copy_reached(self) -> None:
        """Copy what the functions, classes and modules reach that were found so far."""
        while self._waiting:
            owner = self._waiting.pop()
            if isinstance(owner, types.FunctionType):
                self._function(owner)
            elif isinstance(owner, type):
                if self._variables_of(owner.__module__) is not None:
                    self._class(owner)
            else:
                variables = self._variables_of(owner.__name__)
                if variables is not None:
                    self._copy_variables(set(variables), variables)

    def _variables_of(self, name: str | None) -> MutableMapping[str, Any] | None:
        """The variables of a module, if it is the user's own; None if it is installed."""
        module = sys.modules.get(name or "")
        if module is None:
            return None
        variables = vars(module)
        return variables if id(variables) in self._own or _is_users(module) else None

    def _copy_variables(self, names: Iterable[str], variables: MutableMapping[str, Any]) -> None:
        """Copy the variables of these names."""
        done = self._names.get(id(variables))
        if done is None:
            done = self._names[id(variables)] = set()
            whole = id(variables) in self._own
            self._undo.append(_restore_variables(variables, whole=whole))
        for name in names:
            if name not in done and name in variables and not _is_hidden(name):
                done.add(name)
                held = variables[name]
                made = self.copier.copy(held)
                if made is not held:
                    self._copies.append((_setter(variables, name), made))

    def _function(self, function: types.FunctionType) -> None:
        variables = function.__globals__
        if id(variables) in self._own or self._variables_of(function.__module__) is variables:
            self._copy_variables(names_reached([function.__code__], variables), variables)
            self._note_code([function.__code__], variables)
        for cell in function.__closure__ or ():
            self._cell(cell)
        for name in ("__defaults__", "__kwdefaults__"):
            held = getattr(function, name)
            if held:
                self._function_attribute(function, name, held)
        if function.__dict__:
            self._undo.append(_restore_variables(function.__dict__, whole=True))
            for name, held in list(function.__dict__.items()):
                made = self.copier.copy(held)
                if made is not held:
                    self._copies.append((_setter(function.__dict__, name), made))

    def _cell(self, cell: types.CellType) -> None:
        if id(cell) in self._seen:
            return
        self._seen[id(cell)] = cell
        try:
            held = cell.cell_contents
        except ValueError:
            return  # nothing is in it yet
        made = self.copier.copy(held)
        self._undo.append(_restore_cell(cell, held))
        if made is not held:
            self._copies.append((_cell_setter(cell), made))

    def _function_attribute(self, owner: Any, name: str, held: Any) -> None:
        made = self.copier.copy(held)

        def put(value: Any) -> None:
            setattr(owner, name, value)

        self._undo.append(lambda: put(held))
        if made is not held:
            self._copies.append((put, made))

    def _class(self, kind: type) -> None:
        """Copy the attributes of a class of the user's; its methods are code that is followed."""
        for base in kind.__mro__[1:]:
            self._add_code_owner(base)
        held = dict(vars(kind))
        self._undo.append(_restore_class(kind, held))
        for name, value in held.items():
            made = value if _is_special(name) else self.copier.copy(value)
            if made is not value and not issubclass(type(kind), enum.EnumMeta):
                self._copies.append((_class_setter(kind, name), made))

    # --- before and after the run ----------------------------------------------------------------

    def substitute(self) -> None:
        """Put the copies into the places that the code reaches."""
        for put, made in self._copies:
            put(made)
        for variables, parts in self._code.values():
            variables.update(types_for(parts, variables))
        self._before_run = {key: dict(variables) for key, variables in self._own.items()}

    def assigned_names(self) -> list[str]:
        """The user's variables that the run has assigned or defined."""
        return [
            name
            for key, before in self._before_run.items()
            for name, value in list(self._own[key].items())
            if before.get(name, _MISSING) is not value and not name.startswith("_")
        ]

    def restore(self, *, keep: bool = False) -> None:
        """Put all places back, also those that the run changed and that held no copy.

        The copies are kept for a further run if `keep` is set.
        """
        for undo in reversed(self._undo):
            undo()
        if not keep:
            self._copies.clear()
            self._undo.clear()

    def freshness(self) -> Freshness | None:
        """What the copies are like now, for a further run with them; None if there can be none."""
        if not self.copier.can_be_reused:
            return None
        self._modules = set(sys.modules)
        self._variables = [(one, dict(one)) for one, _ in self._code.values()]
        self._variables += [(one, dict(one)) for one in self._own.values()]
        fresh = Freshness(self.copier.copies, self.copier.is_shared)
        return fresh if fresh.is_complete else None

    def reaches_the_same(self) -> bool:
        """Whether the code still reaches what was copied, and nothing more."""
        new = sys.modules.keys() - self._modules
        return all(
            len(variables) == len(before)
            and all(variables.get(name, _MISSING) is value for name, value in before.items())
            for variables, before in self._variables
        ) and not any(_is_users(sys.modules[name]) for name in new if name in sys.modules)


def names_reached(parts: Iterable[types.CodeType], variables: Mapping[str, Any]) -> set[str]:
    """The names of variables that code may use."""
    names = {name for part in parts for name in _names(part)}
    return names | set(variables) if names & _REACH_ALL else names


def _names(code: types.CodeType) -> Iterator[str]:
    """The names in code and in the functions that it defines, also those of attributes."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _is_hidden(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_special(name: str) -> bool:
    return _is_hidden(name) or name.startswith("_abc_")


def _is_users(module: types.ModuleType) -> bool:
    """Whether a module is a file of the user's: not installed, and not of Python itself."""
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__":
        return True
    return file is not None and not is_installed(file)


# --- setting places, and restoring them ----------------------------------------------------------


def _setter(variables: MutableMapping[str, Any], name: str) -> Setter:
    def put(value: Any) -> None:
        variables[name] = value

    return put


def _cell_setter(cell: types.CellType) -> Setter:
    def put(value: Any) -> None:
        cell.cell_contents = value

    return put


def _class_setter(kind: type, name: str) -> Setter:
    def put(value: Any) -> None:
        type.__setattr__(kind, name, value)

    return put


def _restore_variables(variables: MutableMapping[str, Any], whole: bool) -> Callable[[], None]:
    """Undo all changes of variables; without `whole`, modules imported meanwhile stay."""
    before = dict(variables)

    def restore() -> None:
        for name in [name for name in variables if name not in before]:
            if whole or not isinstance(variables[name], types.ModuleType):
                del variables[name]
        for name, value in before.items():
            if variables.get(name, _MISSING) is not value:
                variables[name] = value
        _reorder(variables, list(before))

    return restore


def _reorder(variables: MutableMapping[str, Any], names: list[str]) -> None:
    """Put names in order again: a name that was deleted and put back stands at the end."""
    now = iter(list(variables))
    start = next((i for i, name in enumerate(names) if next(now, None) != name), len(names))
    for name in names[start:]:
        variables[name] = variables.pop(name)


def _restore_cell(cell: types.CellType, held: Any) -> Callable[[], None]:
    def restore() -> None:
        cell.cell_contents = held

    return restore


def _restore_class(kind: type, before: dict[str, Any]) -> Callable[[], None]:
    def restore() -> None:
        now = dict(vars(kind))
        for name in now.keys() - before.keys():
            if not _is_special(name):
                type.__delattr__(kind, name)
        for name, value in before.items():
            if now.get(name, _MISSING) is not value and not _is_special(name):
                type.__setattr__(kind, name, value)

    return restore
