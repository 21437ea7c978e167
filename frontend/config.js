// Configuration of the site. `peakedex site build` writes it with the pins of a venue file.

export const config = {
  // Read APIs, relative to this file: the page reads the first that answers, and compares its hashes with the others'.
  // Those of other hosts must be https, and must allow this origin (`peakedex serve --cors-origin`).
  apis: ["api/"].map((address) => new URL(address, import.meta.url).href),

  // What the venue file says: the page refuses to sign if an API says something else. Null: not pinned.
  pins: null,

  // Hive nodes, asked for checkpoints, whether a transaction is in a block, and wallet balances. All are optional.
  hiveNodes: ["https://api.hive.blog", "https://api.deathwing.me"],

  // Contracts APIs of Hive-Engine, asked for wallet balances of its tokens.
  engineNodes: ["https://api.hive-engine.com/rpc/contracts"],

  // Block explorer; the transaction's id is appended.
  explorer: "https://hivehub.dev/tx/",
};
