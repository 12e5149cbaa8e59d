"""The forward-backward recursion of CTC in loops that count: same loss, same gradient."""

import pytest
import torch
import torch.nn.functional as F

from ipyflops.formulas import Call, lookup
from tests.formulas.counted import Number, count, f, numbers, values
from tests.formulas.dispatch import costs, total

ops = torch.ops.aten
torch.manual_seed(0)
STEPS, CLASSES = 6, 4
LOG_PROBS = torch.randn(STEPS, 2, CLASSES, dtype=torch.float64).log_softmax(-1)
TARGETS = torch.tensor([[1, 2, 2], [3, 1, 3]])
NOTHING = Number(-1e30)


def log_sum(*terms):
    """log Σ exp of two or three numbers."""
    largest = terms[0]
    for term in terms[1:]:
        largest = f.max(largest, term)
    whole = f.exp(terms[0] - largest)
    for term in terms[1:]:
        whole = whole + f.exp(term - largest)
    return f.log(whole) + largest


def states_of(target):
    """Blanks (0) between and around the labels."""
    return [0] + [s for label in target for s in (label, 0)]


def alphas(probs, states):
    rows = [[NOTHING] * len(states)]
    for s in range(min(2, len(states))):
        rows[0][s] = probs[0][states[s]]
    for t in range(1, len(probs)):
        before, row = rows[-1], []
        for s, state in enumerate(states):
            skip = s > 1 and state != states[s - 2]
            terms = (before[s], before[s - 1] if s else NOTHING, before[s - 2] if skip else NOTHING)
            row.append(log_sum(*terms) + probs[t][state])
        rows.append(row)
    return rows


def forward(probs, target):
    states = states_of(target)
    rows = alphas(probs, states)
    last = rows[-1]
    return -log_sum(last[-1], last[-2] if len(states) > 1 else NOTHING), rows


def backward(probs, target, loss, rows, g):
    """The gradient by the log-probabilities, as kernels compute it."""
    states = states_of(target)
    steps, size = len(probs), len(states)
    beta = [NOTHING] * size
    for s in range(max(size - 2, 0), size):
        beta[s] = probs[-1][states[s]]
    sums = [[NOTHING] * CLASSES for _ in range(steps)]
    for t in reversed(range(steps)):
        if t < steps - 1:
            after, beta = beta, []
            for s, state in enumerate(states):
                skip = s + 2 < size and state != states[s + 2]
                terms = (
                    after[s],
                    after[s + 1] if s + 1 < size else NOTHING,
                    after[s + 2] if skip else NOTHING,
                )
                beta.append(log_sum(*terms) + probs[t][state])
        for s, state in enumerate(states):
            both = rows[t][s] + beta[s]
            sums[t][state] = log_sum(sums[t][state], both)
    result = []
    for t in range(steps):
        row = []
        for c in range(CLASSES):
            lp = probs[t][c]
            row.append((f.exp(lp) - f.exp(sums[t][c] + loss - lp)) * g)
        result.append(row)
    return result


def samples(input_lengths, target_lengths):
    for n, (steps, labels) in enumerate(zip(input_lengths, target_lengths, strict=True)):
        yield numbers(LOG_PROBS[:steps, n]), TARGETS[n, :labels].tolist()


LENGTHS = [([6, 6], [3, 3]), ([6, 4], [3, 2]), ([5, 1], [1, 0])]


@pytest.mark.parametrize(("inputs", "labels"), LENGTHS)
def test_loss(inputs, labels):
    result, operations = count(lambda: [forward(*sample)[0] for sample in samples(inputs, labels)])
    lists = ops._ctc_loss(LOG_PROBS, TARGETS, inputs, labels)
    torch.testing.assert_close(lists[0], values(result))
    assert total(lambda: ops._ctc_loss(LOG_PROBS, TARGETS, inputs, labels)) == operations
    tensors = (torch.tensor(inputs), torch.tensor(labels))
    assert total(lambda: ops._ctc_loss(LOG_PROBS, TARGETS, *tensors)) == operations


@pytest.mark.parametrize(("inputs", "labels"), LENGTHS[:2])
def test_gradient(inputs, labels):
    g = torch.randn(2, dtype=torch.float64)
    made = [(sample, *forward(*sample)) for sample in samples(inputs, labels)]
    result, operations = count(
        lambda: [
            backward(*sample, loss, rows, slope)
            for (sample, loss, rows), slope in zip(made, numbers(g), strict=True)
        ]
    )
    loss, log_alpha = ops._ctc_loss(LOG_PROBS, TARGETS, inputs, labels)

    def gradient():
        return ops._ctc_loss_backward(g, LOG_PROBS, TARGETS, inputs, labels, loss, log_alpha, 0)

    for n, rows in enumerate(result):
        torch.testing.assert_close(gradient()[: len(rows), n], values(rows))
    assert total(gradient) == operations


def test_one_operator_that_makes_loss_and_gradient_costs_both():
    inputs, labels = [6, 4], [3, 2]
    loss, log_alpha = ops._ctc_loss(LOG_PROBS, TARGETS, inputs, labels)
    both = total(lambda: ops._ctc_loss(LOG_PROBS, TARGETS, inputs, labels)) + total(
        lambda: ops._ctc_loss_backward(loss, LOG_PROBS, TARGETS, inputs, labels, loss, log_alpha, 0)
    )
    call = Call(
        ops._cudnn_ctc_loss.default,
        (LOG_PROBS, TARGETS.reshape(-1), inputs, labels, 0, True, False),
        {},
        (loss, LOG_PROBS),
    )
    assert lookup(call.func)(call).other.value == both


def test_targets_one_behind_the_other():
    padded = total(lambda: ops._ctc_loss(LOG_PROBS, TARGETS, [6, 4], [3, 2]))
    joined = torch.tensor([1, 2, 2, 3, 1])
    assert total(lambda: ops._ctc_loss(LOG_PROBS, joined, [6, 4], [3, 2])) == padded


def test_without_values_all_samples_are_as_long_as_the_longest():
    full = total(lambda: ops._ctc_loss(LOG_PROBS, TARGETS, [6, 6], [3, 3]))
    meta = [tensor.to("meta") for tensor in (LOG_PROBS, TARGETS, torch.ones(2), torch.ones(2))]
    call = Call(ops._ctc_loss.Tensor, meta, {}, (LOG_PROBS.to("meta"),))
    assert lookup(call.func)(call).other.value == full


def test_the_layer_and_an_unbatched_sample():
    names = [
        name
        for name, _ in costs(
            lambda: F.ctc_loss(LOG_PROBS, TARGETS, torch.tensor([6, 6]), torch.tensor([3, 3]))
        )
    ]
    assert "aten::_ctc_loss" in names
    single = [
        cost.other.value
        for name, cost in costs(
            lambda: F.ctc_loss(
                LOG_PROBS[:, 0], TARGETS[0], torch.tensor(6), torch.tensor(3), reduction="none"
            )
        )
        if name == "aten::_ctc_loss"
    ]
    assert single == [total(lambda: ops._ctc_loss(LOG_PROBS, TARGETS, [6, 6], [3, 3])) // 2]
