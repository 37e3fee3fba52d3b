import createClient, { type Client, type Middleware } from 'openapi-fetch'
import { MessengerError, refusal } from './error.ts'
import type { paths } from './generated/openapi.ts'
import { serverUrl } from './server-url.ts'
import type { Problem, Session } from './types.ts'
import { unreachable } from './unreachable.ts'

export type Fetch = (request: Request) => Promise<Response>

/** Every HTTP call, typed from the server's OpenAPI document. */
export type Api = Client<paths, `${string}/${string}`>

/**
 * @param url of `serverUrl()`
 * @returns the calls; each goes out with the token that there is then. What `fetch` throws becomes `NETWORK`.
 */
export const createApi = (url: string, fetch: Fetch, token: () => string | undefined): Api => {
  const api = createClient<paths>({ baseUrl: url, fetch: (request) => answer(fetch, request) })
  const authorize: Middleware = {
    onRequest({ request }) {
      const current = token()
      if (current !== undefined && !request.headers.has('authorization')) {
        request.headers.set('authorization', `Bearer ${current}`)
      }
      return request
    },
  }
  api.use(authorize)
  return api
}

const answer = async (fetch: Fetch, request: Request): Promise<Response> => {
  const response = await fetch(request).catch((cause: unknown) => {
    throw cause instanceof MessengerError ? cause : unreachable(request.url, cause)
  })
  if (response.headers.get('content-type')?.startsWith('text/html')) throw noMessenger(request.url, response)
  return response
}

type Reply<T> = { data?: T; error?: unknown; response: Response }

/**
 * For a call of `api`.
 * @returns the data of its reply
 * @throws MessengerError with the server's problem, or `NETWORK`
 */
export const unwrap = async <T>(call: Promise<Reply<T>>): Promise<T> => {
  const { data, error, response } = await call.catch((cause) => {
    if (cause instanceof MessengerError) throw cause
    const message =
      'The reply was cut, or is no JSON: if it stays so, `url` is not that of a Messenger server.'
    throw new MessengerError('NETWORK', message, { retryable: true, cause })
  })
  if (response.ok) return data as T
  if (!isProblem(error)) throw noMessenger(response.url, response)
  throw refusal(error, detailsOf(response))
}

const noMessenger = (url: string, response: Response) =>
  new MessengerError(
    'NETWORK',
    `${url} answered with ${response.status}, but not as a Messenger server does. Check host, port and path of \`url\`.`,
    detailsOf(response),
  )

const detailsOf = ({ ok, status, headers }: Response) => {
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
  return {
    retryable: ok || status === 408 || status === 429 || status >= 500,
    retryAfter: Number.isNaN(retryAfter) ? undefined : retryAfter,
  }
}

const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' && value !== null && 'code' in value && 'detail' in value

export type Credentials = { username: string; password?: string | undefined }

/**
 * Logs in; in the server's open mode that makes the account where there is none.
 * @param url the server's address
 * @throws MessengerError `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `RATE_LIMITED`, `INVALID_OPTION`, …
 */
export const login = async (
  url: string,
  credentials: Credentials,
  fetch: Fetch = globalFetch,
): Promise<Session> =>
  unwrap(createApi(serverUrl(url), fetch, () => undefined).POST('/login', { body: credentials }))

export const globalFetch: Fetch = (request) => globalThis.fetch(request)
