"""R as the judge of the statistics: scripts that print figures, and the literals of the tests that hold them."""
