"""Read queries, by subject. Imports the schema and settlement.core.

An *active block* is one with journal lines; only those have a row in `blocks`.
"""
