"""Withdrawals and refunds out of escrow: the only code of the project that ever holds a key.

policy ── plan ── judge ── runner              what is paid, when, and in which bytes; the loop
funds ── pace ── records ── report             what is there, how much at once; what is kept and told
signing ── chain ── authority ── hardening     bytes and signatures; nodes; whose keys count
cosign ── exchange                             the other operators' signatures, by file or over HTTP
"""
