"""Withdrawals and refunds out of escrow: the only code that holds keys. Imports store.read, core and net.

policy, plan                         which transactions pay which claims: a pure function of the ledger
eligibility, escrow_funds            whether a planned payment may be signed now
runner, payment_signer, payment_sender, send_limits    the loop and its stages
signing, authority, hardening        signatures, keys and authorities; protection of the process
chain, chain_time                    Hive and Hive-Engine nodes; time
payout_log, report, returns          what is recorded, shown to operators, and returned instead of paid
checkpoints, operator_intents        the operator's own actions
cosign                               signatures of other operators (k of n)
"""
