"""Two versions on the same cases: intervals and p-values of the difference."""
