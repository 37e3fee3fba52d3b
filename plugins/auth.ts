import jwt from '@fastify/jwt'
import type { FastifyRequest, preHandlerHookHandler } from 'fastify'
import plugin from 'fastify-plugin'
import type { Identity } from '../src/chat/context.ts'
import { type Issuers, openIssuers } from '../src/chat/issuers.ts'
import { createServerKeys, isServerKey } from '../src/chat/server-keys.ts'
import { createTokens, type Tokens, unauthorized } from '../src/chat/tokens.ts'
import { networkOf } from '../src/chat/rate-limit.ts'
import { AppError } from '../src/errors.ts'
import { followSecrets, openSecrets, type Secrets, type VerifyingSecret } from '../src/chat/secrets.ts'
import type { Source } from '../src/load/turns.ts'

/**
 * Decorates `secrets`, `issuers`, `tokens`, `authenticate`, the hook that verifies the token or the server key of a request, and
 * `sourceOf`, which names the user or the network of a request before it is verified.
 */
export const auth = plugin(
  async (app) => {
    const { TOKEN_TTL } = app.config
    const secrets = await openSecrets(app.config, app.database.texts)
    await app.register(jwt, {
      secret: secrets.current,
      sign: { algorithm: 'HS256' },
      verify: { algorithms: ['HS256'], requiredClaims: ['exp', 'iat', 'jti', 'sub'] },
    })
    const signer = {
      sign: (claims: object) => app.jwt.sign(claims, { key: secrets.current }),
      verify: (token: string) =>
        verifyWithAny(secrets.verifying(), ({ secret: key, until }) => {
          const { header, payload } = app.jwt.verify<CompleteToken>(token, { key, complete: true })
          if (Object.keys(header).some((name) => name !== 'alg' && name !== 'typ'))
            throw new Error('The token header has an unknown parameter.')
          return { claims: payload, until }
        }),
      refresh: app.database.cluster && followSecrets(secrets, app.chat.bus),
    }
    app.decorate('secrets', secrets)
    const issuers = openIssuers(app.config, (error) => app.problems.note(error, {}))
    app.decorate('issuers', issuers)
    const ofUsers = createTokens(signer, app.chat, issuers, TOKEN_TTL)
    const keys = createServerKeys(app.chat)
    const tokens: Tokens = {
      ...ofUsers,
      recheck: (me) => (me.key === undefined ? ofUsers : keys).recheck(me),
    }
    app.decorate('tokens', tokens)
    app.decorateRequest('me', null as never)
    app.decorateRequest('caller', null)

    const identify = (request: FastifyRequest): Caller | Promise<Caller> => {
      const token = bearer(request)
      const name = request.headers['on-behalf-of'] as string | undefined
      if (isServerKey(token)) {
        if (request.ws) throw forbidden(NO_SOCKET)
        return keys.identify(token, name)
      }
      if (name !== undefined) throw forbidden(NO_KEY)
      return tokens.verify(token)
    }
    app.decorate('authenticate', (request, _reply, done) => {
      const found = identify(request)
      const accept = (caller: Caller) => {
        request.caller = caller
        request.me = caller as Identity
        done(refusalOf(caller, request.routeOptions.config.callers))
      }
      // Most tokens and keys are cached. Those are accepted in the same turn of the event loop.
      if (found instanceof Promise) found.then(accept, done)
      else accept(found)
    })
    app.decorate('sourceOf', (request) => {
      const token = tokenOf(request)
      if (token !== undefined && isServerKey(token)) {
        const key = keys.known(token)
        // Users on whose behalf a key acts take turns like users who act themselves.
        if (key !== undefined) return `${key} ${String(request.headers['on-behalf-of'])}`
      }
      const known = token === undefined ? undefined : tokens.known(token)
      return known?.user_id ?? networkOf(request.ip)
    })
  },
  { name: 'auth', dependencies: ['problems', 'database', 'chat'] },
)

/** The user of a request; null for the app, which sent a server key without On-Behalf-Of. */
type Caller = Identity | null

/** Who may call a route. `keys`: the app, with or without On-Behalf-Of. */
type Callers = 'users' | 'app' | 'keys' | 'all'

/** @returns the error for a caller who may not call a route */
const refusalOf = (caller: Caller, callers: Callers = 'users'): AppError | undefined => {
  if (caller === null) return callers === 'users' ? forbidden(NO_USER) : undefined
  if (callers === 'users' || callers === 'all') return undefined
  if (caller.key === undefined) return forbidden(NOT_APP)
  return callers === 'app' ? forbidden(NOT_ON_BEHALF) : undefined
}

const forbidden = (detail: string) => new AppError('FORBIDDEN', detail)

const NO_SOCKET =
  'A server key can’t open a socket. Get a token of the user from POST /users/{username}/tokens, and connect with that.'
const NO_KEY = 'Only a server key may act on behalf of a user. Send the request without On-Behalf-Of.'
const NO_USER = 'Only a user may do this. Send the name of the user in On-Behalf-Of.'
const NOT_APP = 'Only the app may do this. Send a server key: Authorization: Bearer msk_….'
const NOT_ON_BEHALF = 'The app does this itself. Send the request without On-Behalf-Of.'

/** A decoded token. Its header may name only the algorithm and the type. */
type CompleteToken = { header: object; payload: unknown }

/** @returns the result of `verify` for the first key that it accepts. @throws its error for the last key */
const verifyWithAny = <T>(keys: readonly VerifyingSecret[], verify: (key: VerifyingSecret) => T): T => {
  for (const key of keys.slice(0, -1)) {
    try {
      return verify(key)
    } catch {
      // Another key may have signed the token.
    }
  }
  return verify(keys.at(-1) as VerifyingSecret)
}

/** @returns the token of a request (RFC 6750, section 2.1) */
const tokenOf = ({ headers, ws }: FastifyRequest): string | undefined =>
  /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? (ws ? offeredToken(headers) : undefined)

/** @returns the token of a request. @throws AppError `UNAUTHORIZED` if it has none */
const bearer = (request: FastifyRequest): string => {
  const token = tokenOf(request)
  if (!token)
    throw unauthorized(
      'The request has no token. Log in with POST /login, or where your app logs you in, and send "Authorization: Bearer <token>".',
    )
  return token
}

/** A browser cannot set headers for a WebSocket, so it offers the token as a subprotocol. */
const offeredToken = (headers: FastifyRequest['headers']) =>
  /(?:^|,)\s*bearer\.([^\s,]+)/.exec(headers['sec-websocket-protocol'] ?? '')?.[1]

declare module 'fastify' {
  interface FastifyInstance {
    tokens: Tokens
    secrets: Secrets
    /** The issuers of TOKEN_ISSUERS, by their name. */
    issuers: Issuers
    authenticate: preHandlerHookHandler
    /** The user of a token or key that was verified before, else the network of the client. */
    sourceOf: (request: FastifyRequest) => Source
  }
  interface FastifyRequest {
    /** Null only in a route whose `callers` include the app. */
    me: Identity
    /** The same as `me`, for a route whose `callers` include the app. */
    caller: Caller
  }
  interface FastifyContextConfig {
    /** By default `users`, who may send tokens or be named by On-Behalf-Of. */
    callers?: Callers
  }
}
