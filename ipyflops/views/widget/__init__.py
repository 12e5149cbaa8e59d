"""How does a report look as a widget?

A tree table with the chart beside it. The Python side packs the data; ``static/`` draws it.
"""
