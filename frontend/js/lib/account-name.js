// Names of Hive accounts.

// hived's rule (docs/protocol.md, section 1).
const NAME = /^(?=.{3,16}$)[a-z][a-z0-9-]+[a-z0-9](?:\.[a-z][a-z0-9-]+[a-z0-9])*$/;

/**
 * Whether the text is a valid Hive account name.
 * @param {string} text
 */
export const isAccount = (text) => NAME.test(text);

/**
 * An account name as a user types it, without the leading @ and in lower case.
 * @param {string} text
 */
export const accountName = (text) => text.trim().replace(/^@/, "").toLowerCase();
