"""How is a sweep shown?

How the counts of each module grow with the sizes, in text, HTML, tables and charts.
"""
