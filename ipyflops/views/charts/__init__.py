"""How does a report look as a chart?

Bars and rooflines by matplotlib, which is imported only when one is drawn.
"""
