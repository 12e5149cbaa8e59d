"""In which module, on which line and in which phase did it run?

Read from the Python stack and from the numbers of autograd's nodes, with no hooks.
"""
