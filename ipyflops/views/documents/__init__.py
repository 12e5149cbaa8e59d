"""How does a report go into other programs and papers?

Markdown, LaTeX, data frames, flame graphs and traces.
"""
