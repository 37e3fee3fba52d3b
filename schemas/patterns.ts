/** The patterns of texts, and what the error says about a text that does not match. */
export const patterns = {
  clientId: { pattern: '^[\\x20-\\x7e]+$', rule: 'must have printable ASCII characters only' },
  /** In a URL, `.` and `..` would be removed (WHATWG URL standard, 4.4). */
  groupKey: {
    pattern: '^(?!\\.{1,2}$)[\\x20-\\x7e]+$',
    rule: 'must have printable ASCII characters only, and must not be "." or ".."',
  },
  webhookName: {
    pattern: '^[A-Za-z0-9_-]{1,64}$',
    rule: 'must be 1 to 64 ASCII letters, digits, "_" or "-"',
  },
  blockPosition: { pattern: '^\\d{1,16}\\.\\d{1,16}$', rule: 'must be the `before` of a page' },
}
