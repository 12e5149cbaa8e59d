"""How does IPython run a cell?

Where a magic stands, how its code is compiled and run once, and which traceback an error has.
"""
