"""How is a report written to a file, and read back?

Versioned JSON, which is checked when it is read: a damaged or hostile file gives a clear error.
"""
