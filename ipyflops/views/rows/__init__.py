"""What is shown, in whatever form?

A headline, rows and notes as plain data; the renderers (text, HTML, widget, documents) only write
them.
"""
