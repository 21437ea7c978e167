"""Exports of the ledger's tables: columns and rows, and writers for CSV, JSON and Parquet."""
