"""What if nothing is computed?

Code counted on fake tensors: once (``--fake``, `ipyflops.dry_run`), or for a grid of sizes
(`ipyflops.sweep`).
"""
