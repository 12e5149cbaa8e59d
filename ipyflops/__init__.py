"""Count floating point operations of PyTorch code, in a notebook or a script."""

__version__ = "0.1.0.dev0"
