"""Start-up only: the interpreter comes up and goes down."""
