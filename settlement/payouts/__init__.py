"""Withdrawals and refunds out of escrow: the only code that holds keys. Imports store.read, core and net.

policy, plan                               which transactions pay which claims: a pure function of the ledger
holds                                      whether a planned payment may be signed now
runner, payment_signer, payment_sender, execution_check    the loop and its stages
signing                                    signatures, keys and authorities; protection of the process
chain                                      Hive and Hive-Engine nodes; time
payout_log, report                         what is recorded and shown to operators
escrow_watch                               pauses payouts when something else acts on an escrow account
checkpoints                                hashes of past blocks, posted on the chain
cosign                                     signatures of other operators (k of n)
"""
