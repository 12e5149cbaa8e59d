"""The tests of programs that a counter must not disturb."""

#: A script that makes its process one with an accelerator: to be run, never to be imported.
collect_ignore = ["accelerator.py"]
