"""What does each operator cost?

One file per family of operators; each formula has its derivation in its docstring.
"""
