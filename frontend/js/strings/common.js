// Texts of the shared building blocks: reading the API, entering amounts, dialogs, tables and toasts.

export const api = {
  status: (status) => `The server answered with status ${status}.`,
  unreachable: "Cannot reach the server.",
  offline: "This device is offline.",
};

export const widgets = {
  close: "Close",
  dismiss: "Dismiss",
  dismissAll: "Dismiss all",
  notifications: "Notifications",
  moreToasts: (count) => `${count} more notification${count === 1 ? "" : "s"}`,
  retry: "Retry",
};

export const tables = { showAll: (count) => `Show all ${count}` };

export const amounts = {
  notNumber: "Not a number. Example: 1250.5.",
  sign: "Enter the number without a sign.",
  exponent: "Enter all digits, without an exponent.",
  twoMeanings: (text, thousand, decimal) => `“${text}” is ambiguous: ${thousand} or ${decimal}? Enter it without the comma.`,
  separators: "Points and commas are mixed, or not in groups of three. Enter the number without thousands separators.",
  digits: "Use the digits 0 to 9.",
  groups: "The digits are not in groups of three. Enter the number without spaces.",
  decimals: (most) => `At most ${most} decimal${most === 1 ? "" : "s"}.`,
  whole: "Whole numbers only.",
  lots: (lot) => `Must be a multiple of ${lot}.`,
  zero: "Must be greater than 0.",
  required: "Required.",
  range: "Exceeds the maximum amount.",
};

export const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export const sides = { buy: "Buy", sell: "Sell" };

// A number of seconds in the largest unit that fits it whole: "30 days", "1 hour", "90 seconds".
export const duration = (seconds) => {
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}${seconds === size ? "" : "s"}`;
  }
  return `${seconds} second${seconds === 1 ? "" : "s"}`;
};
