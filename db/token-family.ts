/**
 * @returns whether a token with the id `jti` belongs to the account: its id begins with the token family of the account, or
 *   it is the token that outlived the last change of the family
 */
export const isOfFamily = (
  jti: string,
  { token_family, kept_token }: { token_family: string; kept_token: string | null },
): boolean => jti.startsWith(`${token_family}.`) || jti === kept_token
