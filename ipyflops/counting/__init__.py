"""What ran, how often, and for how long?

The dispatch mode that sees every operator (`FlopCounter`), the sums it keeps, its clock, and the
report that is made of them.
"""
