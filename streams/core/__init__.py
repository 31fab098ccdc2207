"""The pure core: rows, events, rules and time come as arguments. No clock, no I/O, no framework, no logging."""
