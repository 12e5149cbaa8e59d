"""Tests of ipyflops/views/side_by_side."""
