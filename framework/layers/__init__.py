"""The places where an option can be written: `files` reads a file, `cfg` and the others understand it."""
