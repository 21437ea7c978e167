"""Hive blocks and sidechain receipts: types, decoding, comparison. Imports settlement.core and net."""
