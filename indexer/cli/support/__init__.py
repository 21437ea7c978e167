"""Helpers shared by the commands: errors, processes, progress bars."""
