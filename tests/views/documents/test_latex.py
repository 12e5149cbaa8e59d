"""Tables in LaTeX: what a name could do to a document, it cannot."""

import re

import pytest

from ipyflops.views.documents.latex import escaped
from tests.views import reports

NAMES = (
    *reports.HOSTILE,
    r"\input{/etc/passwd}",
    r"\\[1cm] \\* & % # $x$ ^2 ~",
    "}{ \\end{tabular}",
    '--- \u2013 `quoted\' "too"',
    "[3] *",
    "ä é Ω 中 ×2 …",
)
#: What the writer itself may write: everything else that begins with a backslash is the user's.
MACROS = {
    "begin", "end", "toprule", "midrule", "bottomrule", "centering", "caption", "label", "quad",
    "textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar",
    "textasciigrave", "textendash", "char", "ldots", "times", "cdot", "rightarrow", "mu",
}  # fmt: skip


def check(text: str) -> None:
    """Fail unless the text is ASCII, balanced, and has no macro but the writer's own."""
    assert text.isascii()
    assert set(re.findall(r"\\([a-zA-Z]+)", text.replace(r"\\", ""))) <= MACROS
    plain = re.sub(r"\\.", "", text.replace("\\\\", ""))
    depth = 0
    for brace in re.findall(r"[{}]", plain):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"[%#~]", plain)
    # Mathematics and superscripts are the writer's own.
    assert re.sub(r"\$(\\[a-z]+|-|[\^_]\{\d\})\$", "", text).replace(r"\$", "").count("$") == 0


@pytest.mark.parametrize("name", reports.ALL)
def test_any_report_is_harmless(name: str) -> None:
    for by in ("modules", "operators"):
        text = reports.ALL[name]().to_latex(by=by, depth=3, caption="A caption.", label="tab:a")
        check(text)
        lines = text.split("\n")
        rows = [line for line in lines if line.endswith(r"\\")]
        separators = {len(re.findall(r"(?<!\\)&", row)) for row in rows}
        assert len(separators) == 1
        alignment = re.search(r"begin\{tabular\}\{([lr]+)\}", text)
        assert alignment is not None
        assert len(alignment[1]) == separators.pop() + 1


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_is_harmless(name: str) -> None:
    check(escaped(name))
    # A row that begins with a bracket or a star would be an option of the line before it.
    assert not re.match(r"[\[*]", escaped(name))
    assert "\n" not in escaped(name)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("feed_forward", r"feed\_forward"),
        (r"\input", r"\textbackslash{}input"),
        ("--", "-{}-"),
        ("中", r"\textbackslash{}u4e2d"),
        ("0 … 11 ×12", r"0 \ldots{} 11 $\times$12"),
        ("<0.001", r"\textless{}0.001"),
        ("3·n²·log₂ n − n⁴", r"3$\cdot$n$^{2}$$\cdot$log$_{2}$ n $-$ n$^{4}$"),
    ],
)
def test_what_is_written(name: str, written: str) -> None:
    assert escaped(name) == written


def test_the_rules_of_booktabs() -> None:
    text = reports.resnet().to_latex(columns=["flops", "params"], caption="")
    assert text.split("\n")[:4] == [
        r"\begin{tabular}{llrr}",
        r"  \toprule",
        r"  module & type & GFLOPs & params (M) \\",
        r"  \midrule",
    ]
    assert text.split("\n")[-4:] == [
        r"  \midrule",
        r"  total & ResNet & 7.73 & 25.6 \\",
        r"  \bottomrule",
        r"\end{tabular}",
    ]


def test_a_table_with_a_caption_or_a_label_floats() -> None:
    text = reports.resnet().to_latex(caption=r"FLOPs of \textsc{ResNet}.", label="tab:resnet-50")
    assert text.startswith("\\begin{table}\n  \\centering\n  \\caption{FLOPs of \\textsc{ResNet}.}")
    assert "  \\label{tab:resnet-50}\n  \\begin{tabular}" in text
    assert text.endswith("\\end{tabular}\n\\end{table}")
    assert r"\caption" not in reports.resnet().to_latex(label="a", caption="")
    assert r"\caption{7.73 GFLOPs (" in reports.resnet().to_latex()


@pytest.mark.parametrize("caption", ["}", "{", r"\{}", "a}b{c", r"{\}"])
def test_a_caption_that_would_break_the_document(caption: str) -> None:
    with pytest.raises(ValueError, match="braces of the caption do not match"):
        reports.resnet().to_latex(caption=caption)


@pytest.mark.parametrize("label", ["a b", "a}b", "\\a", "a%", "a#b", "$"])
def test_a_label_that_would_break_the_document(label: str) -> None:
    with pytest.raises(ValueError, match="use letters, digits"):
        reports.resnet().to_latex(label=label)
