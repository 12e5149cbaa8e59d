"""How much is tried: a sample in `make test`, all of it in `make test-all-programs`."""

import os

#: Whether all samples, programs and sizes are tried, which takes more than an hour.
ALL_SAMPLES = bool(os.environ.get("IPYFLOPS_ALL_SAMPLES"))
