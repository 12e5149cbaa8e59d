"""What code can reach by name, and fakes in its place for the time of a dry run.

Code reaches objects through the names in it: of its own variables, of its functions' globals,
defaults and closures, of its classes' attributes. Each such place is one that a value can be put
into. For the dry run they hold copies with fake tensors, and afterwards what they held before,
whatever the run did to them.

Names are read from the code, with those of every function that it names. Code that looks names up
by itself (``eval``, ``globals``, magics) reaches all variables there are.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from ipyflops.cells.code_files import is_installed
from ipyflops.dry_runs.copies import Copier, Shared
from ipyflops.dry_runs.mode import DryMode

#: With one of these names, code may reach any variable.
_BY_ITSELF = frozenset({"eval", "exec", "globals", "locals", "vars", "get_ipython", "__import__"})
_ABSENT = object()
Put = Callable[[Any], None]


class Reach:
    """The places that code reaches, and the copies for them.

    Parameters
    ----------
    mode : DryMode
    variables : list of mapping
        Namespaces in which everything is the user's own.
    """

    def __init__(self, mode: DryMode, variables: Iterable[MutableMapping[str, Any]] = ()) -> None:
        self.copier = Copier(mode, self._waiting_for)
        self._own: dict[int, MutableMapping[str, Any]] = {id(one): one for one in variables}
        self._seen: dict[int, Any] = {}
        self._waiting: list[Shared] = []
        self._names: dict[int, set[str]] = {}
        #: Copies, and where to put them; undone in reverse.
        self._fakes: list[tuple[Put, Any]] = []
        self._undo: list[Callable[[], None]] = []
        #: The user's variables as the run found them.
        self._put: dict[int, dict[str, Any]] = {}

    # --- looking ---------------------------------------------------------------------------------

    def code(self, parts: Iterable[types.CodeType], variables: MutableMapping[str, Any]) -> None:
        """Copy what code reaches that runs with these global variables."""
        self._look_up(names_reached(parts, variables), variables)
        self._look_around()

    def value(self, value: Any) -> Any:
        """Give the copy of a value, and copy what its code reaches."""
        if isinstance(value, types.FunctionType):
            self._own.setdefault(id(value.__globals__), value.__globals__)
        made = self.copier.copy(value)
        self._look_around()
        return made

    def _waiting_for(self, shared: Shared) -> None:
        if id(shared) not in self._seen:
            self._seen[id(shared)] = shared
            self._waiting.append(shared)

    def _look_around(self) -> None:
        while self._waiting:
            shared = self._waiting.pop()
            if isinstance(shared, types.FunctionType):
                self._function(shared)
            elif isinstance(shared, type):
                if self._variables_of(shared.__module__) is not None:
                    self._class(shared)
            elif isinstance(shared, types.ModuleType):
                variables = self._variables_of(shared.__name__)
                if variables is not None:
                    self._look_up(set(variables), variables)

    def _variables_of(self, name: str | None) -> MutableMapping[str, Any] | None:
        """The variables of a module, if it is the user's own and not an installed one."""
        module = sys.modules.get(name or "")
        if module is None:
            return None
        variables = vars(module)
        return variables if id(variables) in self._own or _is_users(module) else None

    def _look_up(self, names: Iterable[str], variables: MutableMapping[str, Any]) -> None:
        """Copy the variables of these names."""
        done = self._names.get(id(variables))
        if done is None:
            done = self._names[id(variables)] = set()
            self._undo.append(_variables_back(variables, whole=id(variables) in self._own))
        for name in names:
            if name not in done and name in variables and not _is_hidden(name):
                done.add(name)
                held = variables[name]
                made = self.copier.copy(held)
                if made is not held:
                    self._fakes.append((_setter(variables, name), made))

    def _function(self, function: types.FunctionType) -> None:
        variables = function.__globals__
        if id(variables) in self._own or self._variables_of(function.__module__) is variables:
            self._look_up(names_reached([function.__code__], variables), variables)
        for cell in function.__closure__ or ():
            self._cell(cell)
        for name in ("__defaults__", "__kwdefaults__"):
            held = getattr(function, name)
            if held:
                self._attribute(function, name, held)
        if function.__dict__:
            self._undo.append(_variables_back(function.__dict__, whole=True))
            for name, held in list(function.__dict__.items()):
                made = self.copier.copy(held)
                if made is not held:
                    self._fakes.append((_setter(function.__dict__, name), made))

    def _cell(self, cell: types.CellType) -> None:
        if id(cell) in self._seen:
            return
        self._seen[id(cell)] = cell
        try:
            held = cell.cell_contents
        except ValueError:
            return  # nothing is in it yet
        made = self.copier.copy(held)
        self._undo.append(_cell_back(cell, held))
        if made is not held:
            self._fakes.append((_cell_setter(cell), made))

    def _attribute(self, owner: Any, name: str, held: Any) -> None:
        made = self.copier.copy(held)

        def put(value: Any) -> None:
            setattr(owner, name, value)

        self._undo.append(lambda: put(held))
        if made is not held:
            self._fakes.append((put, made))

    def _class(self, kind: type) -> None:
        """Copy the attributes of a class of the user's; its methods are code like any other."""
        for base in kind.__mro__[1:]:
            self._waiting_for(base)
        held = dict(vars(kind))
        self._undo.append(_class_back(kind, held))
        for name, value in held.items():
            made = value if _is_special(name) else self.copier.copy(value)
            if made is not value and not issubclass(type(kind), _enum_meta()):
                self._fakes.append((_class_setter(kind, name), made))

    # --- putting ---------------------------------------------------------------------------------

    def put_fakes(self) -> None:
        """Put the copies where the code looks."""
        for put, made in self._fakes:
            put(made)
        self._put = {key: dict(variables) for key, variables in self._own.items()}

    def assigned(self) -> list[str]:
        """The names of the user's variables that the run bound to something else, or anew."""
        return [
            name
            for key, put in self._put.items()
            for name, value in self._own[key].items()
            if put.get(name, _ABSENT) is not value and not name.startswith("_")
        ]

    def put_back(self) -> None:
        """Put everything back, even what the run changed that was not copied."""
        for undo in reversed(self._undo):
            undo()
        self._fakes.clear()
        self._undo.clear()


def names_reached(parts: Iterable[types.CodeType], variables: Mapping[str, Any]) -> set[str]:
    """The names of variables that code may use."""
    names = {name for part in parts for name in _names(part)}
    return names | set(variables) if names & _BY_ITSELF else names


def _names(code: types.CodeType) -> Iterator[str]:
    """The names in code and in the functions that it defines; of attributes as well."""
    yield from code.co_names
    yield from code.co_freevars
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _is_hidden(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_special(name: str) -> bool:
    return _is_hidden(name) or name.startswith("_abc_")


def _enum_meta() -> type:
    import enum

    return enum.EnumMeta


def _is_users(module: types.ModuleType) -> bool:
    """Whether a module is a file of the user's, neither installed nor Python's own."""
    file = getattr(module, "__file__", None)
    if module.__name__ == "__main__":
        return True
    return file is not None and not is_installed(file)


# --- what is put where, and undone ---------------------------------------------------------------


def _setter(variables: MutableMapping[str, Any], name: str) -> Put:
    def put(value: Any) -> None:
        variables[name] = value

    return put


def _cell_setter(cell: types.CellType) -> Put:
    def put(value: Any) -> None:
        cell.cell_contents = value

    return put


def _class_setter(kind: type, name: str) -> Put:
    def put(value: Any) -> None:
        type.__setattr__(kind, name, value)

    return put


def _variables_back(variables: MutableMapping[str, Any], whole: bool) -> Callable[[], None]:
    """Undo all that happens to variables; in modules, what was imported meanwhile stays."""
    before = dict(variables)

    def put_back() -> None:
        for name in [name for name in variables if name not in before]:
            if whole or not isinstance(variables[name], types.ModuleType):
                del variables[name]
        for name, value in before.items():
            if variables.get(name, _ABSENT) is not value:
                variables[name] = value
        _reorder(variables, list(before))

    return put_back


def _reorder(variables: MutableMapping[str, Any], names: list[str]) -> None:
    """Put names in order again: one that was deleted and put back has come to the end."""
    now = iter(list(variables))
    start = next((i for i, name in enumerate(names) if next(now, None) != name), len(names))
    for name in names[start:]:
        variables[name] = variables.pop(name)


def _cell_back(cell: types.CellType, held: Any) -> Callable[[], None]:
    def put_back() -> None:
        cell.cell_contents = held

    return put_back


def _class_back(kind: type, before: dict[str, Any]) -> Callable[[], None]:
    def put_back() -> None:
        now = dict(vars(kind))
        for name in now.keys() - before.keys():
            if not _is_special(name):
                type.__delattr__(kind, name)
        for name, value in before.items():
            if now.get(name, _ABSENT) is not value and not _is_special(name):
                type.__setattr__(kind, name, value)

    return put_back
