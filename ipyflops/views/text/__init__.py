"""How does a report look as plain text?

Tables that fit the width of a terminal.
"""
