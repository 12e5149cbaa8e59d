"""Results that are one table: estimates for devices, models side by side, rules of thumb.

Each is made into a titled table of texts, which text, HTML and documents then write.
"""
