"""The demo: real orders, simulated clicks around them, embedded servers, a live view."""
