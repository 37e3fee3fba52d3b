import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { invalid } from '../errors.ts'

/** An address of a host, as `dns.lookup` returns it. */
export type Address = { address: string; family: number }

/** Finds all addresses of a name. A test replaces it to answer as it likes. */
export type Resolver = (name: string) => Promise<Address[]>

export const systemResolver: Resolver = (name) => lookup(name, { all: true, verbatim: true })

/** The only IPv6 addresses that are routed in the internet (RFC 4291, IANA). */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3')

/**
 * Whether an address is in the public internet. The forms that carry an IPv4 address (IPv4-mapped, 6to4, NAT64, Teredo) are not:
 * they could lead to a private one.
 */
const isPublic = (address: string): boolean => {
  const parsed = ipaddr.parse(address)
  return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6))
}

/** The URL names or resolves to an address that is not public. */
class PrivateAddress extends Error {
  constructor(host: string) {
    super(`${host} is not a public address. WEBHOOK_ALLOW_PRIVATE=1 allows receivers in your own network.`)
  }
}

/** The host of a URL without the brackets of IPv6 and the final dot of an absolute name. */
export const hostOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')

/**
 * Resolves the host of a URL once. The request then goes to these addresses, whatever the name resolves to later.
 * @throws PrivateAddress if one of them is not public, unless `allowPrivate`; what `resolve` throws
 */
export const addressesOf = async (url: URL, allowPrivate: boolean, resolve: Resolver): Promise<Address[]> => {
  const host = hostOf(url)
  const family = isIP(host)
  const addresses = family ? [{ address: host, family }] : await resolve(host)
  if (!allowPrivate && !addresses.every(({ address }) => isPublic(address))) throw new PrivateAddress(host)
  return addresses
}

/**
 * @returns the URL of a receiver in its normal form, in which an IPv4 address in decimal, octal or hexadecimal notation is dotted
 * @throws AppError `VALIDATION_FAILED`
 */
export const checkUrl = (text: string, allowPrivate: boolean): string => {
  const url = URL.parse(text)
  if (!url) throw invalid('/url', 'must be a URL, such as https://app.example.org/webhook')
  const isAllowed = url.protocol === 'https:' || (allowPrivate && url.protocol === 'http:')
  if (!isAllowed) throw invalid('/url', 'must begin with https://')
  if (url.username !== '' || url.password !== '' || url.hash !== '')
    throw invalid('/url', 'must have neither a username, nor a password, nor a fragment')
  const host = hostOf(url)
  if (!allowPrivate && isIP(host) && !isPublic(host)) throw invalid('/url', 'must lead to a public address')
  return url.href
}
