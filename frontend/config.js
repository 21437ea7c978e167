// Where this site reads, and which Hive nodes it may ask. This is the only file an operator edits.

export const config = {
  // The read API. Relative to this file, so that the folder works under any path; an address of another host
  // must be https, and that host must let this one in (`peakedex serve --cors-origin`).
  api: new URL("api/", import.meta.url).href,

  // Asked whether a transaction is in a block yet, and what a wallet holds. One that does not answer changes
  // nothing.
  hiveNodes: ["https://api.hive.blog", "https://api.deathwing.me"],

  // Hive-Engine's contracts, for what a wallet holds of its tokens.
  engineNodes: ["https://api.hive-engine.com/rpc/contracts"],

  // Where a transaction can be looked up; the id is put at the end.
  explorer: "https://hivehub.dev/tx/",
};
