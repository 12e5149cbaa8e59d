"""What goes into modules and comes out, against torchinfo's published table and shapes by hand."""

import cProfile
import sys
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ipyflops import FlopCounter, Report, dry_run
from ipyflops.counting import recording
from ipyflops.counting.module_shapes import PROFILER_NOTE

#: Of torchinfo's README: a small network for pictures of digits, seven of them at once.
#: Path, input, output, kernel, parameters.
PUBLISHED = (
    ("conv1", "7×1×28×28", "7×10×24×24", "5×5", 260),
    ("conv2", "7×10×12×12", "7×20×8×8", "5×5", 5_020),
    ("fc1", "7×320", "7×50", "", 16_050),
    ("fc2", "7×50", "7×10", "", 510),
)


class Digits(nn.Module):
    """The network of torchinfo's README."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = functional.relu(functional.max_pool2d(self.conv1(x), 2))
        x = functional.relu(functional.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = functional.relu(self.fc1(x.view(-1, 320)))
        return functional.log_softmax(self.fc2(x), dim=1)


class Mapping(nn.Module):
    """A module that is given a name, and gives a dictionary."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 3)

    def forward(self, x, *, mask=None):
        return {"y": self.inner(x), "parts": [x.sum(), mask]}


def shapes_of(report, path):
    return report.find(path).shapes


def test_torchinfos_published_table():
    model = Digits()
    with FlopCounter(shapes=True) as counter:
        model(torch.randn(7, 1, 28, 28))
    for path, given, gave, kernel, parameters in PUBLISHED:
        assert shapes_of(counter.report, path) == (given, gave, kernel, parameters)
    assert shapes_of(counter.report, "model") == ("7×1×28×28", "7×10", "", 21_840)


def test_activations_of_the_published_network():
    # The outputs of the two convolutions and the two linear layers, by hand.
    by_hand = 7 * (10 * 24 * 24 + 20 * 8 * 8 + 50 + 10)
    model = Digits()
    with FlopCounter() as counter:
        model(torch.randn(7, 1, 28, 28)).sum().backward()
    assert counter.report.totals.activations == by_hand
    assert counter.report.find("conv1").totals.activations == 7 * 10 * 24 * 24


def test_what_is_recomputed_counts_once():
    layer = nn.Linear(4, 3)
    with FlopCounter() as counter:
        x = torch.ones(2, 4, requires_grad=True)
        checkpoint(layer, x, use_reentrant=False).sum().backward()
    assert counter.report.totals.activations == 2 * 3


def test_products_that_are_kept_as_a_sum_add_up(monkeypatch):
    monkeypatch.setattr(recording, "MAX_ENTRIES", 2)
    with FlopCounter() as counter:
        for size in range(1, 7):
            torch.ones(size, 2) @ torch.ones(2, 3)
    assert counter.report.totals.activations == 3 * (1 + 2 + 3 + 4 + 5 + 6)


def test_later_calls_that_differ():
    layer = nn.Linear(4, 3)
    with FlopCounter(shapes=True) as counter:
        layer(torch.ones(2, 4))
        layer(torch.ones(2, 4))
    assert shapes_of(counter.report, "layer")[:2] == ("2×4", "2×3")
    with counter:
        layer(torch.ones(5, 4))
    assert shapes_of(counter.report, "layer")[:2] == ("varies", "varies")


def test_names_dictionaries_and_hooks():
    model = Mapping()
    model.register_forward_pre_hook(lambda module, given: (given[0][:2],))
    model.register_forward_hook(lambda module, given, gave: None)
    with FlopCounter(shapes=True) as counter:
        model(torch.ones(9, 4), mask=torch.ones(5))
    assert shapes_of(counter.report, "model")[:2] == ("2×4, 5", "2×3, scalar, 5")
    assert shapes_of(counter.report, "model.inner")[:2] == ("2×4", "2×3")


def test_a_long_list_is_cut():
    class Many(nn.Module):
        def forward(self, values):
            return [value + 1 for value in values]

    many = Many()
    with FlopCounter(shapes=True) as counter:
        many([torch.ones(number) for number in range(1, 7)])
    assert shapes_of(counter.report, "many").input == "1, 2, 3, 4, …"


def test_parameters_that_are_frozen():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    with FlopCounter(shapes=True) as counter:
        model(torch.ones(1, 4))
    assert shapes_of(counter.report, "model").trainable == 3 * 2 + 2
    assert shapes_of(counter.report, "model.0").trainable == 0


def test_a_module_list_has_parameters_and_no_shapes():
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 3)])

        def forward(self, x):
            return self.layers[0](x)

    model = Listed()
    with FlopCounter(shapes=True) as counter:
        model(torch.ones(1, 4))
    assert shapes_of(counter.report, "model.layers") == ("", "", "", 15)


def test_nothing_is_recorded_or_left_where_nobody_asks():
    layer = nn.Linear(4, 3)
    with FlopCounter() as counter:
        layer(torch.ones(2, 4))
        assert sys.getprofile() is None
    assert shapes_of(counter.report, "layer") == ("", "", "", -1)


def test_an_error_ends_the_recording():
    class Fails(nn.Module):
        def forward(self, x):
            raise ZeroDivisionError(x * 2)

    with pytest.raises(ZeroDivisionError), FlopCounter(shapes=True):
        Fails()(torch.ones(2))
    assert sys.getprofile() is None


def test_a_profiler_of_the_users_goes_on():
    layer, profile = nn.Linear(4, 3), cProfile.Profile()
    profile.enable()
    try:
        with FlopCounter(shapes=True) as counter:
            layer(torch.ones(2, 4))
        counted = counter.report
    finally:
        profile.disable()
    # From Python 3.12 on cProfile listens in a place of its own, and both hear of the calls.
    missed = sys.version_info < (3, 12)
    assert (PROFILER_NOTE in counted.notes) == missed
    assert shapes_of(counted, "layer").input == ("" if missed else "2×4")
    assert any("forward" in str(one.code) for one in profile.getstats())


def test_a_profile_function_of_the_users_stays():
    layer, events = nn.Linear(4, 3), []
    sys.setprofile(lambda frame, event, argument: events.append(event))
    try:
        with FlopCounter(shapes=True) as counter:
            layer(torch.ones(2, 4))
            events.clear()
            layer(torch.ones(2, 4))
            assert "return" in events
    finally:
        sys.setprofile(None)
    assert PROFILER_NOTE in counter.report.notes
    assert shapes_of(counter.report, "layer").input == ""


def test_counters_inside_each_other():
    layer = nn.Linear(4, 3)
    with FlopCounter(shapes=True) as outer:
        with FlopCounter(shapes=True) as inner:
            layer(torch.ones(2, 4))
        layer(torch.ones(3, 4))
    assert shapes_of(inner.report, "layer").input == "2×4"
    assert shapes_of(outer.report, "layer").input == "varies"
    assert sys.getprofile() is None


def test_a_thread_that_begins_in_the_block():
    layer = nn.Linear(4, 3)
    with FlopCounter(shapes=True) as counter:
        thread = threading.Thread(target=lambda: layer(torch.ones(2, 4)))
        thread.start()
        thread.join(10)
    assert shapes_of(counter.report, "layer")[:2] == ("2×4", "2×3")


def test_a_dry_run():
    report = dry_run(nn.Linear(4, 3), torch.ones(7, 4), shapes=True)
    assert shapes_of(report, "Linear")[:2] == ("7×4", "7×3")


def test_files_keep_them(tmp_path):
    layer = nn.Linear(4, 3)
    with FlopCounter(shapes=True) as counter:
        layer(torch.ones(2, 4))
    counter.report.save(tmp_path / "run.json")
    read = Report.load(tmp_path / "run.json")
    assert read == counter.report
    assert read.totals.activations == 6


def test_a_file_from_before_has_none():
    layer = nn.Linear(4, 3)
    with FlopCounter(shapes=True) as counter:
        layer(torch.ones(2, 4))
    data = counter.report.to_dict()
    del data["shapes"], data["activations"]
    read = Report.from_dict(data)
    assert shapes_of(read, "layer") == ("", "", "", -1)
    assert (read.flops, read.totals.activations) == (counter.report.flops, 0)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("shapes", [["2×4"]]),
        ("shapes", [["", "", "", -2], ["", "", "", 0]]),
        ("shapes", "x"),
        ("activations", [-1]),
        ("activations", [True]),
        ("activations", []),
    ],
)
def test_a_file_that_lies_is_refused(entry, value):
    layer = nn.Linear(4, 3)
    with FlopCounter(shapes=True) as counter:
        layer(torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"shapes|size of an output"):
        Report.from_dict({**counter.report.to_dict(), entry: value})


def test_ranks_whose_shapes_differ():
    layer, reports = nn.Linear(4, 3), []
    for size in (2, 5):
        with FlopCounter(shapes=True) as counter:
            layer(torch.ones(size, 4))
        reports.append(counter.report)
    assert shapes_of(Report.merge(reports), "layer") == ("varies", "varies", "", 15)


# --- in every form -------------------------------------------------------------------------------


def counted():
    model = Digits()
    model.conv1.requires_grad_(False)
    with FlopCounter(shapes=True) as counter:
        model(torch.randn(7, 1, 28, 28))
    return counter.report


def test_text_has_the_columns_where_they_are_asked_for():
    from ipyflops.views import to_text

    report = counted()
    text = to_text(report, columns=("shapes", "params", "activations"), width=150)
    assert text.count("7×1×28×28") == 2
    assert all(title in text for title in ("input", "output", "kernel", "trainable", "frozen"))
    assert "7×1×28×28" not in to_text(report, width=150)
    # In a narrow window others go first.
    assert "7×10×24×24" in to_text(report, columns=("shapes",), width=80)


def test_html_has_them():
    from ipyflops.views import to_html

    html = to_html(counted(), columns=("shapes", "params"))
    assert "7×10×24×24" in html
    assert "frozen" in html


def test_documents_and_frames_have_them():
    report = counted()
    chosen = ("flops", "shapes", "trainable", "activations")
    markdown = report.to_markdown(columns=chosen, depth=2)
    assert "7×10×24×24" in markdown
    assert "acts" in markdown
    assert r"7$\times$10$\times$24$\times$24" in report.to_latex(columns=("shapes",), depth=2)
    frame = report.to_frame(columns=("shapes", "params", "activations"))
    row = frame[frame.operator == "aten::convolution"].iloc[0]
    assert (row.input, row.output, row.kernel) == ("7×1×28×28", "7×10×24×24", "5×5")
    assert (row.parameters, row.trainable, row.frozen, row.activations) == (260, 0, 260, 40_320)


def test_the_widget_is_sent_them():
    report = counted()
    view = report.widget(extra=("shapes",))
    packed = view._data
    assert packed["asked"] == ["input", "output", "kernel"]
    assert "7×10×24×24" in packed["names"]
    assert {"input", "output", "kernel", "trainable"} == set(packed["shapes"])
    assert "trainable" in packed["tables"]["modules"]
    assert "input" not in packed["tables"]["operators"]
    view.close()
