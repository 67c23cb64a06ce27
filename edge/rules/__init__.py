"""Local rules of a cell: pure state machines that take what devices said and return what is to be done."""
