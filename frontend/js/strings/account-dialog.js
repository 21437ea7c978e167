// Texts of the dialog that chooses the account to show.

export const accountDialog = {
  title: "Your account",
  name: "Hive account",
  hint: "Balances and orders are public, so a name is enough to view them. Trading requires a signature from Hive Keychain.",
  invalid: "Not a valid Hive account name: 3 to 16 lowercase letters, digits, hyphens and dots; each part between dots has at least 3 characters.",
  use: "Use this account",
  practice: "Create a practice account",
  practiceHint: "Available on this test network only: a funded account that signs in this page. No wallet needed.",
  practiceCreated: (name) => `Practice account created: @${name}`,
  practiceFunds: "Its funds arrive in a few seconds.",
  practising: "Practice account: this page signs with devnet keys, and the tokens have no value.",
  keychain: {
    ready: "✓ Hive Keychain detected.",
    missing: "Hive Keychain not found: you can view accounts, but not sign. ",
    silent: "Hive Keychain does not respond: click its icon once.",
    file: "Hive Keychain works only on pages from a web server: open this page at http://localhost or https://.",
  },
  install: "Get Hive Keychain",
  signOut: "Disconnect",
  portfolio: "Portfolio",
};
