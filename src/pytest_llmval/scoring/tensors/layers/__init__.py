"""Layer by layer: where in the network a candidate's error arises."""
