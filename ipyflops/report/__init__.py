"""What is the result of a count?

A `Report` is plain data: flat tables, and what is computed from them. This folder imports neither
PyTorch nor IPython.
"""
