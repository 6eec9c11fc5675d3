"""The parts of the command line, one group of commands a file."""
