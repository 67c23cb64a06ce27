"""Pure optimizers: a problem and parameters in, a plan out. No clock, no I/O, no event loop."""
