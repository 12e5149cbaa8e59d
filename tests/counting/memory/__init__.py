"""Memory, against tools that follow storages in other ways, and against sums by hand."""
