"""What if there are several processes?

Reports of the engines of an ipyparallel cluster (``--ranks``, ``%%px``) and of the ranks of a
torchrun job (`ipyflops.Report.gather`) are brought together.
"""
