/** The newest token era: its name, empty for the first one, and when it began, in seconds since 1970. */
export type TokenEra = { token_era: string; era_began: number }

/** What the tokens of an account must match. Those of issuers were issued after `tokens_from`, in seconds since 1970. */
export type TokenHolder = TokenEra & { token_family: string; kept_token: string | null; tokens_from: number }

/** A token, as far as the revocations of many tokens concern it. */
type Token = {
  jti: string
  /** Only for a token of an issuer, whose id names no family and no era: when it was issued, in seconds since 1970; 0 if unknown. */
  issued_at?: number
}

/** @returns the id of a new token: the token family of its account, the token era unless it is the first one, and a random part */
export const toTokenId = (
  { token_family, token_era }: Pick<TokenHolder, 'token_family' | 'token_era'>,
  random: string,
): string => [token_family, ...(token_era === '' ? [] : [token_era]), random].join('.')

/** @returns whether a token may belong to the account: it is of its token family and of the newest token era */
export const isTokenOf = (token: Token, holder: TokenHolder): boolean =>
  isOfFamily(token, holder) && isOfEra(token, holder)

/**
 * @returns whether the id of a token begins with the token family of the account, or is that of the token that outlived the last
 *   change of the family. For a token of an issuer: whether it was issued after the last end of all tokens of the account.
 */
export const isOfFamily = (
  { jti, issued_at }: Token,
  { token_family, kept_token, tokens_from }: Omit<TokenHolder, keyof TokenEra>,
): boolean =>
  issued_at === undefined
    ? jti.startsWith(`${token_family}.`) || jti === kept_token
    : isAfter(issued_at, tokens_from)

/** @returns whether a token was issued in an era. Ids of the first era, whose name is empty, do not name it. */
export const isOfEra = ({ jti, issued_at }: Token, { token_era, era_began }: TokenEra): boolean => {
  if (issued_at !== undefined) return isAfter(issued_at, era_began)
  const [, named, random] = jti.split('.')
  return token_era === (random === undefined ? '' : named)
}

/**
 * @param issued_at when a token of an issuer was issued, in whole seconds since 1970; 0 if unknown
 * @param second when its account changed; 0 for never
 * @returns whether the token is newer than the change. One of the same second may be older.
 */
export const isAfter = (issued_at: number, second: number) => second === 0 || issued_at > second

/** @returns a time in milliseconds as the claims of tokens have it: in whole seconds */
export const seconds = (ms: number) => Math.floor(ms / 1000)
