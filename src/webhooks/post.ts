import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { type Address, hostOf } from './addresses.ts'

/** Bytes of an answer that are read. */
const MAX_ANSWER = 65_536

export type Post = {
  url: URL
  /** The request goes to one of these. */
  addresses: readonly Address[]
  headers: Record<string, string>
  body: string
  signal: AbortSignal
}

/** `text` is read only of an answer 409. */
export type Answer = { status: number; text: string }

/**
 * Sends a POST over a connection of its own, without redirects and proxies. TLS verifies the certificate for the name in the URL.
 * @throws (rejects) the error of the connection, or the reason of `signal`
 */
export const post = async ({ url, addresses, headers, body, signal }: Post): Promise<Answer> => {
  const host = hostOf(url)
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method: 'POST',
    agent: false,
    headers: {
      ...headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'messenger',
      connection: 'close',
    },
    lookup: pinned(addresses),
    signal,
    ...(url.protocol === 'https:' && isIP(host) === 0 && { servername: host }),
  })
  const response = await answerTo(request, body)
  try {
    const status = response.statusCode as number
    return { status, text: status === 409 ? await read(response) : '' }
  } finally {
    // The rest of an answer is not needed, and may be endless.
    request.destroy()
  }
}

const pinned =
  (addresses: readonly Address[]): LookupFunction =>
  (_name, { all }, done) => {
    const [first] = addresses as [Address]
    /* c8 ignore next -- Node asks for one address only if autoSelectFamily is off */
    if (!all) done(null, first.address, first.family)
    else done(null, [...addresses])
  }

const answerTo = (request: ClientRequest, body: string) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve)
    // Errors after the answer, such as that of `destroy`, are ignored: the promise is settled.
    request.on('error', reject)
    // Node ends a connection without an event of its own after an answer 101.
    request.on('close', () =>
      reject(new Error('The connection ended without an answer, or with a change of the protocol.')),
    )
    request.end(body)
  })

/** @throws an error if the answer is too long or ends early */
const read = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    size += chunk.length
    if (size > MAX_ANSWER) throw new Error(`The answer 409 has more than ${MAX_ANSWER} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
