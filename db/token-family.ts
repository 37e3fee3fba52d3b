/** What the tokens of an account must match. */
export type TokenHolder = { token_family: string; kept_token: string | null; token_era: string }

/** @returns the id of a new token: the token family of its account, the token era unless it is the first one, and a random part */
export const toTokenId = (
  { token_family, token_era }: Pick<TokenHolder, 'token_family' | 'token_era'>,
  random: string,
): string => [token_family, ...(token_era === '' ? [] : [token_era]), random].join('.')

/** @returns whether a token with the id `jti` may belong to the account: it is of its token family and of the newest token era */
export const isTokenOf = (jti: string, holder: TokenHolder): boolean =>
  isOfFamily(jti, holder) && isOfEra(jti, holder.token_era)

/**
 * @returns whether the id `jti` begins with the token family of the account, or is that of the token that outlived the last
 *   change of the family
 */
export const isOfFamily = (
  jti: string,
  { token_family, kept_token }: Pick<TokenHolder, 'token_family' | 'kept_token'>,
): boolean => jti.startsWith(`${token_family}.`) || jti === kept_token

/** @returns whether a token was issued in an era. Ids of the first era, whose name is empty, do not name it. */
export const isOfEra = (jti: string, era: string): boolean => {
  const [, named, random] = jti.split('.')
  return era === (random === undefined ? '' : named)
}
