// Texts of the proof of liabilities.

export const proofCard = {
  title: "Proof of your balance",
  lead: "For each token the exchange publishes a Merkle root over all balances that it owes. The proof shows that an account's balance is included in that total; it is verified in this page with SHA-256.",
  name: "Account",
  check: "Verify proof",
  invalidName: "Not a valid Hive account name.",
  cannotHash: "Browsers compute hashes on https and localhost only: open this page there.",
  nothing: (name) => `@${name} has no balance, so there is nothing to prove.`,
  valid: (tokens, block) => `✓ Valid: ${tokens === 1 ? "the balance is" : `all ${tokens} balances are`} included at block ${block}.`,
  invalid: (reason) => `✗ Invalid proof. ${reason}.`,
  compare: "Compare the root with the one another person sees for the same block: both must be identical.",
  caption: (name) => `Proof for ${name}`,
  columns: ["Token", "Your balance", "Total liabilities", "Accounts", "Root"],
};
