import { MessengerError } from './error.ts'

/** What Node.js says of a certificate that it does not accept. */
const untrusted = [
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]

/**
 * @param url that was called
 * @param cause what `fetch` threw
 * @returns the error for a call without a reply: what is wrong, and what to try
 */
export const unreachable = (url: string, cause: unknown): MessengerError =>
  new MessengerError('NETWORK', explain(new URL(url).origin, cause), { retryable: true, cause })

const explain = (server: string, cause: unknown): string => {
  // Node.js has a navigator that does not say whether there is a network.
  const { navigator } = globalThis as { navigator?: { onLine?: boolean } }
  if (navigator?.onLine === false) return `This device is offline: ${server} can't be reached.`
  if ((cause as Error).name === 'TimeoutError')
    return `${server} did not answer in time. Check that the server runs and that nothing blocks the way to it.`
  const code = codeOf(cause)
  if (code === 'ECONNREFUSED')
    return `Nothing listens at ${server}. Start the server, or correct the host and the port in \`url\`.`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `The host of ${server} has no address (${code}). Correct \`url\`, or check the network.`
  if (code !== undefined && untrusted.includes(code))
    return `The certificate of ${server} is not trusted (${code}). Node.js trusts more authorities by NODE_EXTRA_CA_CERTS.`
  if (code?.startsWith('ERR_SSL_'))
    return `${server} does not speak TLS (${code}). Correct the port, or write http:// in \`url\`.`
  const page = globalThis.location?.origin
  if (page !== undefined && page !== server)
    return (
      `The browser could not call ${server} from the page ${page}. Check that the server runs, and list the page ` +
      `in its CORS_ORIGINS: CORS_ORIGINS=${page}. The browser's console names the cause.`
    )
  return `${server} could not be reached${code === undefined ? '' : ` (${code})`}. Check \`url\`, and that the server runs.`
}

/** Of Node.js: `fetch` throws a TypeError, whose cause has it. */
const codeOf = (cause: unknown): string | undefined => (cause as { cause?: { code?: string } }).cause?.code
