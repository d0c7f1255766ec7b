"""Whether answers given with confidence c are right in a share c of cases."""
