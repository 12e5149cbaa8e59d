"""Prints which Triton the installed PyTorch asks for."""

from importlib.metadata import requires

if __name__ == "__main__":
    asked = (one.partition(";")[0].strip() for one in requires("torch") or ())
    print(next(one for one in asked if one.startswith("triton")))
