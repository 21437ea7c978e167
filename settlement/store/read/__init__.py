"""Read queries, by subject. Imports the schema and settlement.core.

An *active block* is one with at least one journal line or intent; only those have a row in `blocks`.
"""
