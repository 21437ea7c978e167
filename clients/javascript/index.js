// Client of Peake DEX for Node and browsers. Drafts, amounts, and how the API is read are the site's own code.

export { ApiError } from "./site/js/lib/api-protocol.js";
export { baseUnits, lotsOf, market, plain, units } from "./site/js/lib/amounts.js";
export { IntentError } from "./site/js/wallet/intent-checks.js";
export { deposit, limitOrder, marketOrder, oneSignature } from "./site/js/wallet/intents.js";
export { Market } from "./src/market.js";
export { Nodes, NodesError } from "./src/nodes.js";
export { dhiveSigner, keychainSigner, SigningError } from "./src/signers.js";
export { Trader } from "./src/trader.js";
