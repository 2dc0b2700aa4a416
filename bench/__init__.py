"""`make bench`: Slipway's polls and pages beside a bare hello-world, on the same server, in the same minutes."""
