import createClient, { type Client, type Middleware } from 'openapi-fetch'
import { MessengerError, refusal } from './error.ts'
import type { paths } from './generated/openapi.ts'
import type { Problem, Session } from './types.ts'

export type Fetch = (request: Request) => Promise<Response>

/** Every HTTP call, typed from the server's OpenAPI document. */
export type Api = Client<paths, `${string}/${string}`>

/** @returns the calls; each goes out with the token that there is then. */
export const createApi = (url: string, fetch: Fetch, token: () => string | undefined): Api => {
  const api = createClient<paths>({ baseUrl: url, fetch })
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

type Reply<T> = { data?: T; error?: unknown; response: Response }

/**
 * For a call of `api`.
 * @returns the data of its reply
 * @throws MessengerError with the server's problem, or `NETWORK`
 */
export const unwrap = async <T>(call: Promise<Reply<T>>): Promise<T> => {
  const { data, error, response } = await call.catch((cause) => {
    throw new MessengerError('NETWORK', 'The server could not be reached.', { retryable: true, cause })
  })
  if (response.ok) return data as T
  const { status, headers } = response
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
  const details = {
    retryable: status === 408 || status === 429 || status >= 500,
    retryAfter: Number.isNaN(retryAfter) ? undefined : retryAfter,
  }
  if (!isProblem(error))
    throw new MessengerError('NETWORK', `The reply was ${status}, by no Messenger.`, details)
  throw refusal(error, details)
}

const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' && value !== null && 'code' in value && 'detail' in value

export type Credentials = { username: string; password?: string | undefined }

/**
 * Logs in; in the server's open mode that makes the account where there is none.
 * @param url the server's address
 * @throws MessengerError `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `RATE_LIMITED`, …
 */
export const login = (url: string, credentials: Credentials, fetch: Fetch = globalFetch): Promise<Session> =>
  unwrap(createApi(url, fetch, () => undefined).POST('/login', { body: credentials }))

export const globalFetch: Fetch = (request) => globalThis.fetch(request)
