import { createHmac } from 'node:crypto'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** The secret of a server whose tokens a test forges. */
export const SECRET = 'a secret of the tests, which is long enough'

/** @returns a token with exactly this header and payload, signed with HS256. */
export const forgeToken = (header: unknown, payload: unknown, secret = SECRET): string => {
  const signed = `${part(header)}.${part(payload)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

/** @returns the claims of a token. */
export const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
