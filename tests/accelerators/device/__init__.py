"""What is to be checked on a real device: ``make test-device DEVICE=cuda``, ``mps`` or ``xpu``.

It needs PyTorch from 2.6, pytest and this repository, and no network. Each check prints PASS, FAIL
or SKIP; the last line is JSON. It ends in time: what does not fit into the budget is skipped, and
says so.
"""
