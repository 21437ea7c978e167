"""Helpers shared by the commands: arguments, output, logging, errors, nodes, processes, progress bars."""
