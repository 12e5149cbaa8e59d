"""A build of PyTorch with CUDA on a machine without a GPU: what pip installs on most laptops."""

from __future__ import annotations

from tests.accelerators.conftest import InProcess

#: No device, neither a simulated one nor a real one.
NONE = {"SIMULATOR_DEVICES": "0", "CUDA_VISIBLE_DEVICES": ""}
#: A product of a 16×64 by a 64×64 matrix, forward and its two gradients.
STEP = 3 * 2 * 16 * 64 * 64


def test_a_dry_run_for_a_device_that_is_not_there(in_process: InProcess) -> None:
    script = """
        import json, torch
        from ipyflops import dry_run

        assert not torch.cuda.is_available()
        x = torch.randn(16, 64, requires_grad=True)
        net = torch.nn.Linear(64, 64, bias=False)
        graph = torch.cuda.CUDAGraph.__dict__.get("replay")

        def step():
            net.to("cuda")(x.to("cuda")).sum().backward()

        report = dry_run(step, device="cuda")
        assert torch.cuda.CUDAGraph.__dict__.get("replay") is graph
        notes = [note for note in report.notes if "kernel times" in note]
        print(json.dumps([report.under("contractions").flops, notes]))
    """
    assert in_process(script, **NONE) == [STEP, []]


def test_a_move_to_it_says_that_there_is_none(in_process: InProcess) -> None:
    script = """
        import json, torch
        from ipyflops import DryRunError, dry_run

        try:
            dry_run(lambda: torch.ones(2).to("cuda"))
        except DryRunError as error:
            print(json.dumps(str(error)))
    """
    assert "there is no such device here" in in_process(script, **NONE)
