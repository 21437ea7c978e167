// Configuration of the site: its API and the Hive nodes that it may ask. Operators edit this file only.

export const config = {
  // The read API, relative to this file, so that the folder works under any path. The URL of another host must be
  // https, and that host must allow this origin (`peakedex serve --cors-origin`).
  api: new URL("api/", import.meta.url).href,

  // Hive nodes, asked whether a transaction is in a block and for wallet balances. All are optional.
  hiveNodes: ["https://api.hive.blog", "https://api.deathwing.me"],

  // Contracts APIs of Hive-Engine, asked for wallet balances of its tokens.
  engineNodes: ["https://api.hive-engine.com/rpc/contracts"],

  // Block explorer; the transaction's id is appended.
  explorer: "https://hivehub.dev/tx/",
};
