"""Models side by side, and rules of thumb, as titled tables."""

from __future__ import annotations

from ipyflops.report import MEASURES, Comparison, RuleComparison
from ipyflops.units import scaled
from ipyflops.views.documents.plain_table import PlainRow, PlainTable
from ipyflops.views.rows.visible import visible
from ipyflops.views.side_by_side.titled import TitledTable, plain_table


def comparison_table(comparison: Comparison) -> TitledTable:
    """A row for each model."""
    shown = comparison.measures
    columns = [comparison.values(name) for name in shown]
    rows = [
        [
            visible(name),
            *(MEASURES[key].text(values[name]) for key, values in zip(shown, columns, strict=True)),
        ]
        for name in comparison.reports
    ]
    first = next(iter(comparison.reports.values()))
    titles = ["model", *(MEASURES[name].title for name in shown)]
    headline = f"{len(rows)} models   [{first.convention}]"
    incomplete = [visible(name) for name, one in comparison.reports.items() if not one.complete]
    notes = [f"incomplete: {', '.join(incomplete)}"] if incomplete else []
    unknown = [visible(name) for name, one in comparison.reports.items() if one.unknown]
    notes += [f"operators without a formula ran in {', '.join(unknown)}"] if unknown else []
    return TitledTable(headline, (), plain_table(titles, rows), tuple(notes))


def comparison_records(comparison: Comparison) -> list[dict[str, object]]:
    """The numbers in plain units."""
    columns = {name: comparison.values(name) for name in comparison.measures}
    return [
        {"model": name, **{key: values[name] for key, values in columns.items()}}
        for name in comparison.reports
    ]


_KINDS = {
    "forward": "a forward pass",
    "training": "a training step",
    "recomputing": "a training step that recomputes",
}


def rules_table(compared: RuleComparison) -> TitledTable:
    """The rules, the way from the first to the count, and what was counted."""
    products = compared.products
    first = compared.rules[0]
    rows = [
        PlainRow((rule.name, scaled(rule.flops), _ratio(products, rule.flops), rule.expression))
        for rule in compared.rules
    ]
    rows.append(PlainRow((f"from {first.name} to the products", "", "", "")))
    rows += [
        PlainRow((name, _signed(flops), _ratio(flops, first.flops), ""), 1)
        for name, flops in compared.steps.items()
    ]
    rows.append(PlainRow(("products that were counted", scaled(products), "", f"{products:,}")))
    rows.append(
        PlainRow(("counted", scaled(compared.flops), "", f"{compared.flops:,}"), total=True)
    )
    rows += [
        PlainRow((name, scaled(flops), _ratio(flops, compared.flops), f"{flops:,}"), 1)
        for name, flops in compared.terms.items()
    ]
    titles = ("rule or term", "FLOPs", "ratio", "with numbers")
    sizes = compared.sizes
    said = (
        f"{_KINDS[compared.kind]} of {sizes.tokens:,} tokens, {sizes.parameters:,} parameters",
        "The ratio of a rule is the counted products by what it says.",
    )
    headline = " · ".join(
        f"products are {_ratio(products, rule.flops)} of {rule.name}" for rule in compared.rules
    )
    return TitledTable(headline, said, PlainTable(titles, tuple(rows)), compared.notes)


def rule_records(compared: RuleComparison) -> list[dict[str, object]]:
    """The numbers of the rules and terms."""
    rows = [("rule", rule.name, rule.flops) for rule in compared.rules]
    rows += [("step", name, flops) for name, flops in compared.steps.items()]
    rows += [("term", name, flops) for name, flops in compared.terms.items()]
    return [{"kind": kind, "name": name, "flops": flops} for kind, name, flops in rows]


def _ratio(value: int, whole: int) -> str:
    return f"{value / whole:.3f}" if whole else ""


def _signed(flops: int) -> str:
    return f"+{scaled(flops)}" if flops > 0 else scaled(flops)
