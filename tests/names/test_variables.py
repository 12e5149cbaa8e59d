"""Modules are called by the names that the user has for them, whatever holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from ipyflops import FlopCounter, Report
from tests.names.programs import count_cell, library, own_file, top_names
from tests.shells import fresh_shell, run

X = torch.ones(2, 4)
#: Of one call of a layer of 4 by 4: 2 rows, 4 by 4 multiply-adds of 2 FLOPs each.
CALL = 2 * 4 * 4 * 2

FILE = """
from torch import nn, optim

class Agent:
    def __init__(self, kind=nn.Linear):
        self.actor = kind(4, 4)
        self.critic = kind(4, 4)
        self.heads = [kind(4, 4), kind(4, 4)]
        self.targets = {"slow": kind(4, 4)}
        self.opt = optim.SGD(self.actor.parameters(), 0.1, momentum=0.9)

    def update(self, x):
        loss = self.actor(x).sum() + self.critic(x).sum()
        for head in self.heads:
            loss = loss + head(x).sum()
        (loss + self.targets["slow"](x).sum()).backward()
        self.opt.step()

class Slotted:
    __slots__ = ("net",)
    def __init__(self):
        self.net = nn.Linear(4, 4)
    def run(self, x):
        return self.net(x)
"""


def names_of(code: str, **variables: Any) -> list[str]:
    """The names in the report of a cell."""
    return top_names(count_cell(code, variables))


def test_what_an_object_holds_is_called_by_the_way_to_it() -> None:
    agent = own_file("agents", FILE).Agent()
    report = count_cell("agent.update(x)", {"agent": agent, "x": X})
    # The methods of the agent have no other name for them, but the variable of a loop.
    assert {node.path for node in report.tree.children if node.flops and node.type == "Linear"} >= {
        "agent.actor",
        "agent.critic",
        "agent.targets.slow",
    }
    assert report.find("agent.opt").type == "SGD"
    # The forward, and the gradient of the weight: the input needs none.
    assert report.find("agent.actor").macs == 2 * CALL // 2


def test_items_of_lists_dictionaries_and_fields_are_named() -> None:
    @dataclass
    class Config:
        nets: dict[str, nn.Module] = field(default_factory=lambda: {"draft": nn.Linear(4, 4)})

    cell = "x = use(holder, x)"
    use = library("runs", "def use(_holder, _x):\n    return _holder.run(_x)\n").use

    class Holder:
        def __init__(self, name: str, value: Any, get: Any) -> None:
            setattr(self, name, value)
            self._get = get

        def run(self, x: torch.Tensor) -> torch.Tensor:
            return self._get(self)(x)  # type: ignore[no-any-return]

    def config() -> Config:
        return Config()

    for name, make, get, label in (
        ("unet", lambda: nn.Linear(4, 4), lambda h: h.unet, "holder.unet"),
        ("nets", lambda: [nn.ReLU(), nn.Linear(4, 4)], lambda h: h.nets[1], "holder.nets.1"),
        ("by_name", lambda: {"a": nn.Linear(4, 4)}, lambda h: h.by_name["a"], "holder.by_name.a"),
        ("config", config, lambda h: h.config.nets["draft"], "holder.config.nets.draft"),
        (
            "space",
            lambda: SimpleNamespace(value=nn.Linear(4, 4)),
            lambda h: h.space.value,
            "holder.space.value",
        ),
    ):
        assert names_of(cell, holder=Holder(name, make(), get), use=use, x=X) == [label]


def test_a_number_that_is_an_identity_is_no_name() -> None:
    seen = SimpleNamespace(by_id={id(one): one for one in [nn.Linear(4, 4)]})
    assert names_of("[one(x) for one in seen.by_id.values()]", seen=seen, x=X) == ["one"]
    seen = SimpleNamespace(by_epoch={12: nn.Linear(4, 4)})
    assert names_of("seen.by_epoch[12](x)", seen=seen, x=X) == ["seen.by_epoch.12"]


def test_slots_closures_and_partial_functions_lead_to_what_they_hold() -> None:
    slotted = own_file("agents", FILE).Slotted()
    assert names_of("slotted.run(x)", slotted=slotted, x=X) == ["slotted.net"]

    apply = library("applies", "def apply(_net, _x):\n    return _net(_x)\n").apply
    step = partial(apply, nn.Linear(4, 4))
    assert names_of("step(x)", step=step, x=X) == ["step.0"]
    assert names_of("step(_x=x)", step=partial(apply, _net=nn.Linear(4, 4)), x=X) == ["step._net"]
    # A partial function of a module is to its user the module.
    net = partial(nn.Linear(4, 4))
    assert names_of("run(net, x)", net=net, x=X, run=apply) == ["net"]

    def make() -> Any:
        inner = nn.Linear(4, 4)
        return lambda x: apply(inner, x)

    run = make()
    assert names_of("run(x)", run=run, x=X) == ["inner"]
    assert names_of("call(run, x)", run=partial(run), x=X, call=apply) == ["inner"]


def test_the_shortest_way_names_a_module_that_two_objects_hold() -> None:
    use = library("runs", "def use(_x, _net):\n    return _net.inner.net(_x)\n").use
    outer = SimpleNamespace(inner=SimpleNamespace(net=nn.Linear(4, 4)))
    cell = "use(x, outer)"
    assert names_of(cell, use=use, outer=outer, x=X) == ["outer.inner.net"]
    # Of those that the cell does not name, a short one is better; the variable itself is best.
    short = {"short": outer.inner, "outer": outer, "x": X}
    assert names_of("use(x, made())", use=use, made=partial(_same, outer), **short) == ["short.net"]
    assert names_of(cell, use=use, outer=outer, x=X, net=outer.inner.net) == ["net"]


def _same(value: Any) -> Any:
    return value


def test_a_module_below_a_held_one_has_its_place_there() -> None:
    use = library("runs", "def use(_x, _h):\n    return _h.body[1](_x)\n").use
    pipe = SimpleNamespace(unet=nn.Sequential(nn.ReLU(), nn.Linear(4, 4)))
    report = count_cell(
        "use(x, Body(pipe.unet))",
        {"use": use, "pipe": pipe, "x": X, "Body": lambda m: SimpleNamespace(body=m)},
    )
    assert report.find("pipe.unet.1").flops == CALL


def test_the_variable_that_the_cell_names_is_the_name() -> None:
    net = nn.Linear(4, 4)
    assert names_of("best(x)", net=net, best=net, x=X) == ["best"]
    assert names_of("net(x)", net=net, best=net, x=X) == ["net"]
    agent = SimpleNamespace(actor=net)
    assert names_of("agent.actor(x)", first=net, agent=agent, x=X) == ["agent.actor"]
    model = nn.Sequential(net)
    assert names_of("model(x)", enc=net, model=model, x=X) == ["model"]


def test_a_compiled_module_does_not_give_its_name_to_the_module() -> None:
    small = nn.Linear(4, 4)
    c = torch.compile(small, backend="eager")
    assert names_of("small(x)", c=c, small=small, x=X) == ["small"]
    assert names_of("c(x)", small=small, c=c, x=X) == ["c"]


def test_in_a_script_the_line_tells_which_of_two_variables() -> None:
    net = nn.Linear(4, 4)
    best = net
    with FlopCounter() as counter:
        best(X)
    assert top_names(counter.report) == ["best"]
    held = [net]
    with FlopCounter() as counter:
        for each in held:
            each(X)
    assert top_names(counter.report) == ["net"]


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 4)

    def generate(self, x: torch.Tensor, assistant_model: nn.Module) -> torch.Tensor:
        return self.body(assistant_model(x))  # type: ignore[no-any-return]


def test_a_module_that_another_calls_has_the_name_of_the_users_variable() -> None:
    variables = {"model": Generator(), "draft": nn.Linear(4, 4), "x": X}
    report = count_cell("model.generate(x, assistant_model=draft)", variables)
    assert report.find("draft").flops == CALL
    assert report.find("draft").name == "draft"
    assert report.find("model.body").flops == CALL


SOLVER = """
from torch import nn
class _PerturbFunc(nn.Module):
    def __init__(self, base_func):
        super().__init__()
        self.base_func = base_func
    def forward(self, t, y):
        return self.base_func(t, y) * 1.0
def odeint(func, y0):
    func = _PerturbFunc(func)
    for t in range(3):
        y0 = func(t, y0)
    return y0
"""


class Field(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 4)

    def forward(self, t: float, y: torch.Tensor) -> torch.Tensor:
        return self.lin(y)  # type: ignore[no-any-return]


def solved(code: str, **variables: Any) -> Report:
    """The report of a cell that solves an equation with the library."""
    odeint = library("torchsolver", SOLVER).odeint
    return count_cell(code, {"odeint": odeint, "x": X, **variables})


def test_a_variable_of_a_library_does_not_take_the_name_of_the_users_module() -> None:
    for name in ("func", "field"):
        report = solved(f"odeint({name}, x)", **{name: Field()})
        assert report.find(f"{name}.lin").flops == 3 * CALL
        assert set(top_names(report)) == {name, "func (torchsolver)"}
        # Only its own product: 3 times one for each of 8 elements.
        assert report.find("func (torchsolver)").flops == 3 * 8


def test_what_only_a_library_names_says_so() -> None:
    source = "def fit(build, _x):\n    item = build(4, 4)\n    return item(_x)\n"
    fit = library("fitter", source).fit
    assert names_of("fit(build, x)", fit=fit, build=nn.Linear, x=X) == ["item (fitter)"]


def test_a_partial_function_of_a_method_is_no_step() -> None:
    agent = own_file("agents", FILE).Agent()
    names = names_of("step()", step=partial(agent.update, X))
    assert {"step.actor", "step.heads.0", "step.targets.slow", "step.opt"} <= set(names)
    assert not {name for name in names if name.startswith("self")}


def test_what_a_method_is_called_on_is_self_by_any_name() -> None:
    wrapper = own_file(
        "wrappers",
        "class Wrapper:\n"
        "    def __init__(this, optimizer):\n"
        "        this.inner = optimizer\n"
        "    def step(this):\n"
        "        this.inner.step()\n",
    )
    net = nn.Linear(4, 4)
    net(X).sum().backward()
    # Momentum, so that a step counts: the buffer is made in the first, used in the second.
    opt = wrapper.Wrapper(torch.optim.SGD(net.parameters(), 0.1, momentum=0.9))
    train = own_file("trains", "def train(opt):\n    opt.step()\n").train
    # `this` is as little a name as `self`: the variable of the function is one.
    assert "opt.inner" in names_of("train(made())", train=train, made=partial(_same, opt))
    # So it is where the function's file is the cell's own, and the cell does not name it.
    cell = "def train():\n    opt.step()\ntrain()"
    assert "opt.inner" in names_of(cell, opt=opt)


def test_a_loop_around_the_counted_code_names_what_that_calls() -> None:
    cell = "for net in nets.values():\n    report = %flops -q -o net(x)"
    with fresh_shell("ipyflops") as shell:
        shell.user_ns |= {"nets": {"a b": nn.Linear(4, 4)}, "x": X}
        assert run(shell, cell).error is None
        assert top_names(shell.user_ns["report"]) == ["net"]
