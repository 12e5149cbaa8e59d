"""The report as plain data: totals, paths, explanations, differences, JSON."""

import json
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops.costs import evaluate
from ipyflops.counting.counter import FlopCounter
from ipyflops.report import MAX_FILE_BYTES, PHASES, Difference, Report, ReportFormatError


def model_of(width: int = 8, layers: int = 3) -> nn.Sequential:
    parts = [nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(layers)]
    return nn.Sequential(*parts)


def counted(width: int = 8, layers: int = 3, *, backward: bool = True) -> Report:
    model = model_of(width, layers)
    with FlopCounter() as counter:
        loss = model(torch.ones(2, width)).sum()
        if backward:
            loss.backward()
    return counter.report


@pytest.fixture
def report() -> Report:
    return counted()


def test_it_is_frozen(report: Report) -> None:
    with pytest.raises(FrozenInstanceError):
        report.convention = "article"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        report.tree.name = "x"  # type: ignore[misc]


def test_it_can_be_pickled_after_everything_was_computed(report: Report) -> None:
    assert report.tree.children
    assert report.by_operator
    copy = pickle.loads(pickle.dumps(report))
    assert copy == report
    assert copy.flops == report.flops


def test_a_deep_tree_can_be_built_and_pickled() -> None:
    model: nn.Module = nn.Linear(2, 2)
    for _ in range(200):
        model = nn.Sequential(model)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        with FlopCounter() as counter:
            model(torch.ones(1, 2))
    finally:
        sys.setrecursionlimit(limit)
    report = counter.report
    deepest = list(report.walk())[-1]
    assert deepest.path == ".".join(["model", *["0"] * 200])
    assert report.under("contractions").find(deepest.path).flops == 8
    assert pickle.loads(pickle.dumps(report)) == report
    assert Report.from_dict(report.to_dict()) == report


def test_the_fixed_names_are_there(report: Report) -> None:
    for name in ("flops", "macs", "bytes", "int_ops"):
        assert isinstance(getattr(report, name), int)
        assert isinstance(getattr(report.tree, name), int)
    for name in ("seconds", "flops_per_second"):
        assert isinstance(getattr(report, name), float)
    assert isinstance(report.tree.children, tuple)
    assert tuple(report.by_phase) == PHASES


def test_find_takes_a_path_with_and_without_the_outermost_name(report: Report) -> None:
    assert report.find("model.1.0") is report.find("1.0")
    assert report.find("") is report.tree
    with pytest.raises(KeyError, match=r"did you mean .*'1\.0'"):
        report.find("1.00")


def test_find_refuses_what_is_ambiguous() -> None:
    first, second = model_of(), model_of()
    with FlopCounter() as counter:
        first(torch.ones(2, 8))
        second(torch.ones(2, 8))
    with pytest.raises(KeyError, match=r"first\.1\.0, second\.1\.0"):
        counter.report.find("1.0")
    assert counter.report.find("second.1.0").flops == 256


@pytest.mark.parametrize("convention", ["standard", "contractions", "article"])
@pytest.mark.parametrize("path", ["", "model", "1", "1.0", "1.1"])
def test_explanations_multiply_out_and_add_up(report: Report, convention: str, path: str) -> None:
    report = report.under(convention)
    explanations = report.explain(path)
    assert explanations
    for one in explanations:
        assert evaluate(one.substituted, {}) == one.flops_per_call
        assert evaluate(one.expression, dict(one.symbols)) == one.flops_per_call
        assert one.flops == one.flops_per_call * (1 if one.summed else one.calls)
    node = report.find(path)
    for name in ("flops", "macs", "bytes", "int_ops", "calls"):
        assert sum(getattr(one, name) for one in explanations) == getattr(node.totals, name)


def test_an_explanation_reads_like_the_article() -> None:
    model = nn.Linear(768, 3072)
    with FlopCounter() as counter:
        for _ in range(12):
            model(torch.zeros(128, 768))
    text = str(counter.report.explain("model")[0])
    assert text.startswith("aten::addmm(3072, 128×768, 768×3072) forward: 2·m·n·k = ")
    assert "2·128·3072·768 = 603,979,776, called 12 times" in text
    article = counter.report.under("article").explain("model")[0]
    assert article.flops_per_call == (2 * 768 - 1) * 128 * 3072


def test_a_difference_matches_by_path(report: Report) -> None:
    difference = counted(layers=4) - report
    assert isinstance(difference, Difference)
    assert difference.flops == counted(layers=4).flops - report.flops
    changes = {change.path: change for change in difference.changes}
    added = changes["model.3.0"]
    assert added.before is None
    assert added.after is not None
    assert added.flops == added.after.flops
    same = changes["model.1.0"]
    assert (same.flops, same.ratio) == (0, 1.0)
    back = report - counted(layers=4)
    gone = next(change for change in back.changes if change.path == "model.3.0")
    assert gone.after is None
    assert gone.flops == -added.flops


def test_a_difference_is_under_the_convention_of_the_later(report: Report) -> None:
    difference = counted(layers=4).under("contractions") - report
    assert difference.before.convention == "contractions"


def test_merged_reports_add_up(report: Report) -> None:
    other = counted(layers=4)
    merged = Report.merge([report, other, report])
    assert merged.flops == 2 * report.flops + other.flops
    assert merged.find("model.1.0").calls == 3
    assert merged.find("model.3.0").calls == 1
    assert merged.tree.flops == merged.flops
    assert sum(row.calls for row in merged.rows) == merged.totals.calls
    assert merged.by_phase["backward"].flops == (
        2 * report.by_phase["backward"].flops + other.by_phase["backward"].flops
    )


def test_merging_refuses_what_does_not_fit(report: Report) -> None:
    with pytest.raises(ValueError, match="no report"):
        Report.merge([])
    with pytest.raises(ValueError, match="under different conventions"):
        Report.merge([report, report.under("article")])


# --- JSON ----------------------------------------------------------------------------------------


def test_json_gives_the_same_report_back(report: Report, tmp_path: Path) -> None:
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    path = tmp_path / "a report.json"
    report.save(path)
    assert Report.load(path) == report
    assert [entry.name for entry in tmp_path.iterdir()] == ["a report.json"]


def test_an_incomplete_report_and_any_text_survive_json(report: Report) -> None:
    odd = replace(
        report, complete=False, error="ValueError: \x1b[31m<b>\U0001f680\n", notes=("a", "")
    )
    assert Report.from_dict(json.loads(json.dumps(odd.to_dict()))) == odd


def test_saving_where_one_cannot_leaves_nothing(report: Report, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        report.save(tmp_path / "missing" / "report.json")
    target = tmp_path / "report.json"
    target.mkdir()
    with pytest.raises(OSError, match="report"):
        report.save(target)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "1", '"x"', "{}", '{"format": "something else"}', "[" * 100_000],
    ids=range(9),
)
def test_a_file_that_is_no_report_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ReportFormatError, match="is not a saved report"):
        Report.load(path)


def test_binary_and_huge_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\x80\x04\x95\x00\xff\xfe")
    with pytest.raises(ReportFormatError):
        Report.load(path)
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse: takes no room on the disk
    with pytest.raises(ReportFormatError, match="too large"):
        Report.load(path)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Report.load(tmp_path / "none.json")


def test_another_version_says_what_to_do(report: Report) -> None:
    with pytest.raises(ReportFormatError, match=r"version 99 .*; use the ipyflops that wrote it"):
        Report.from_dict({**report.to_dict(), "version": 99})


WRONG: list[Any] = [None, -1, 1.5, True, "x", [], {}, 10**9]


def damaged(data: Any, path: tuple[Any, ...] = ()) -> Any:
    """Every way to put something wrong in one place of the data, depth first, a few per list."""
    if path:
        yield from ((path, wrong) for wrong in WRONG)
    if isinstance(data, dict):
        for key in data:
            yield from damaged(data[key], (*path, key))
    elif isinstance(data, list):
        for index in {0, len(data) - 1} & set(range(len(data))):
            yield from damaged(data[index], (*path, index))


def put(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(data))
    target = copy
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return copy


def test_damage_is_refused_or_harmless(report: Report) -> None:
    data = report.to_dict()
    refused = read = 0
    for path, wrong in damaged(data):
        try:
            found = Report.from_dict(put(data, path, wrong))
        except ReportFormatError:
            refused += 1
            continue
        # Some damage is a report still: another number, another name. It has to be whole.
        read += 1
        assert found.tree.flops == found.flops
        for one in found.explain():
            assert str(one)
    assert refused > 200
    assert read > 10
    for key in data:
        if key in ("device", "timing", "peak", "excerpts", "activations"):
            continue  # which are not in the reports of older versions
        with pytest.raises(ReportFormatError):
            Report.from_dict({name: value for name, value in data.items() if name != key})


def test_reading_a_report_imports_nothing_heavy(report: Report, tmp_path: Path) -> None:
    report.save(tmp_path / "r.json")
    code = (
        "import sys; from ipyflops.report.report import Report\n"
        f"r = Report.load({str(tmp_path / 'r.json')!r}); r.tree; r.explain(); r.by_line\n"
        "heavy = {'matplotlib', 'ipywidgets', 'pandas', 'IPython', 'rich'} & set(sys.modules)\n"
        "print(sorted(heavy), r.flops)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == f"[] {report.flops}"


def test_the_tables_are_plain_data(report: Report) -> None:
    plain = (str, int, float, bool, tuple, type(None))
    for table in (report.scopes, report.lines, report.rows):
        for record in table:
            assert all(isinstance(getattr(record, item.name), plain) for item in fields(record))


def test_a_number_that_no_float_can_hold_is_refused(report: Report) -> None:
    data = report.to_dict()
    data["timing"] = {"seconds": [10**400]}
    with pytest.raises(ReportFormatError, match="out of its range"):
        Report.from_dict(data)
