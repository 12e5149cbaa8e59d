"""How is the difference of two reports shown?

In text, HTML, tables and charts.
"""
