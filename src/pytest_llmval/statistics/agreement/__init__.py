"""How far raters agree, and what a judge that errs says of the truth."""
