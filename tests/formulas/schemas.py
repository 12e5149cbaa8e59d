"""The schemas of operators: PyTorch's own, and those of packages that are not installed here.

`tests/data/schemas.json` has the strings of the released packages, with their versions. A schema
that somebody made up proves nothing: the formula and the test then share the mistake.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import torch

from tests.missing import IS_OTHER

#: By package and version, then the strings.
RELEASED: dict[str, dict[str, list[str]]] = {
    package: versions
    for package, versions in json.loads(
        (Path(__file__).parents[1] / "data" / "schemas.json").read_text(encoding="utf-8")
    ).items()
    if package != "about"
}
#: What defines operators of PyTorch's that its own import leaves out.
MODULES = (
    "torch._inductor.inductor_prims",
    "torch.ao.quantization.fx._decomposed",
    "torch.distributed._symmetric_memory",
    "torch.distributed.fsdp._fully_shard._fsdp_collectives",
    "torch.nn.attention.varlen",
    "torch.nn.modules.linear_cross_entropy",
)


def load_modules() -> None:
    """Have PyTorch define the operators that it defines late; another release may lack some."""
    for module in MODULES:
        if not IS_OTHER or importlib.util.find_spec(module) is not None:
            importlib.import_module(module)


class Released:
    """An operator of a release that is not installed, as far as a `Call` and `lookup` ask."""

    def __init__(self, schema: str) -> None:
        self._schema = torch._C.parse_schema(schema)
        self._overloadname = self._schema.overload_name or "default"


def released(name: str) -> dict[str, Released]:
    """The operator of that name in each release that has one, as ``torchvision 0.29.1``."""
    return {
        f"{package} {version}": Released(schema)
        for package, versions in RELEASED.items()
        for version, schemas in versions.items()
        for schema in schemas
        if schema.partition("(")[0] == name
    }


def installed(name: str) -> list[Any]:
    """The overloads of an operator of PyTorch's."""
    namespace, _, base = name.partition("::")
    base, _, overload = base.partition(".")
    packet = getattr(getattr(torch.ops, namespace), base, None)
    names = [overload] if overload else getattr(packet, "overloads", list)()
    return [getattr(packet, one) for one in names]
