"""How does a report look as HTML?

One fragment that needs nothing else and runs nothing.
"""
