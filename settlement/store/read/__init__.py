"""Read queries, one module a subject. Imports the schema and settlement.core."""
