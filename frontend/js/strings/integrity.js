// Texts of the comparison of the API with pins, other APIs and checkpoints.

export const integrity = {
  venueFile: "Venue file",
  checkpoint: "Operator's checkpoint on Hive",
  notPinned: "This site accepts any venue and escrow accounts that its API names.",
  pinsMatch: (tokens) => `Venue hash, contract and the escrow accounts of ${tokens} tokens are the ones this site was built for.`,
  otherVenue: (api) => `${api} serves another venue than this site was built for: the venue hash differs.`,
  otherContract: (api) => `${api} names another contract than this site was built for.`,
  escrow: (account, symbol) => `@${account} as the escrow account of ${symbol}`,
  otherEscrows: (api, named, more) => `${api} names ${named.join(", ")}${more ? ` (and ${more} more)` : ""}: this site was built for others.`,
  payee: (account) => `@${account} is not an escrow account that this site was built for.`,
  contract: (name) => `The contract ${name} is not the one this site was built for.`,
  sameHash: (start) => `Both have the journal hash ${start}….`,
  silent: "No answer.",
  invalid: "No valid answer.",
  noBlock: "No blocks yet.",
  noSuchBlock: (block) => `Only one of them has block ${block}.`,
  venuesDiffer: (one, other) => `${one} and ${other} serve different venues.`,
  journalsDiffer: (one, other, block) => `${one} and ${other} have different journal hashes at block ${block}: one of them is wrong.`,
  nodesSilent: "No Hive node answers.",
  nodesDiffer: (node) => `${node} shows a checkpoint that other Hive nodes do not confirm.`,
  noCheckpoint: "None published recently.",
  checkpointAhead: "The API has not reached the checkpoint's block yet.",
  checkpointDiffers: (account, block, api) => `The checkpoint of block ${block} that @${account} published on Hive does not match the journal of ${api}.`,
  blocked: (reason) => `Signing is disabled. ${reason}`,
};

export const refusal = {
  title: "Not signed",
  hint: "Nothing was sent. What disagrees is listed on the Audit screen.",
  audit: "Open the audit",
  close: "Close",
};
