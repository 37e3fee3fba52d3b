/**
 * Who created an account and vouches for its user: null for a login at this server, `APP` for a server key, or an issuer of tokens.
 * Only tokens of the owner log in to the account.
 */
export type Owner = string | null

/** The owner of accounts that a server key created. */
export const APP = 'app'

/** @returns the owner of the accounts of an issuer (`iss` of RFC 7519) */
export const issuerOwner = (issuer: string): Owner => `issuer ${issuer}`
