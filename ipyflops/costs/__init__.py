"""What is a FLOP, and what else is measured?

The cost of one call of an operator, the expressions it is written in, and the conventions under
which it is read.
"""
