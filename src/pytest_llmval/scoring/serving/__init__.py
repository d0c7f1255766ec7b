"""What answers took and cost, and whether they can be read: metrics of the serving, not of what is said."""
