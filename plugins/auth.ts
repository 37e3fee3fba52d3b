import jwt from '@fastify/jwt'
import type { FastifyRequest, preHandlerHookHandler } from 'fastify'
import plugin from 'fastify-plugin'
import type { Identity } from '../src/chat/context.ts'
import { type Issuers, openIssuers } from '../src/chat/issuers.ts'
import { createServerKeys, isServerKey } from '../src/chat/server-keys.ts'
import { createTokens, type Tokens } from '../src/chat/tokens.ts'
import { networkOf } from '../src/chat/rate-limit.ts'
import { forbidden, unauthorized } from '../src/errors.ts'
import { type Caller, type Callers, refusalOf } from '../src/http/callers.ts'
import { followSecrets, openSecrets, type Secrets, type VerifyingSecret } from '../src/chat/secrets.ts'
import type { Source } from '../src/load/turns.ts'

/**
 * Decorates `secrets`, `issuers` and `tokens`; `authenticate`, the hook that verifies the token or the server key of a request; and
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
    const userTokens = createTokens(signer, app.chat, issuers, TOKEN_TTL)
    const serverKeys = createServerKeys(app.chat)
    const tokens: Tokens = {
      ...userTokens,
      recheck: (me) => (me.key === undefined ? userTokens : serverKeys).recheck(me),
    }
    app.decorate('tokens', tokens)
    app.decorateRequest('me', null as never)
    app.decorateRequest('caller', null)

    const identify = (request: FastifyRequest): Caller | Promise<Caller> => {
      const token = requireToken(request)
      const name = request.headers['on-behalf-of'] as string | undefined
      if (isServerKey(token)) {
        if (request.ws) throw forbidden(NO_SOCKET)
        return serverKeys.identify(token, name)
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
        const key = serverKeys.known(token)
        // Users on whose behalf a key acts take turns like users who act themselves.
        if (key !== undefined) return `${key} ${String(request.headers['on-behalf-of'])}`
      }
      const known = token === undefined ? undefined : tokens.known(token)
      return known?.user_id ?? networkOf(request.ip)
    })
  },
  { name: 'auth', dependencies: ['problems', 'database', 'chat'] },
)

const NO_SOCKET =
  'A server key can’t open a socket. Get a token of the user from POST /users/{username}/tokens, and connect with that.'
const NO_KEY = 'Only a server key may act on behalf of a user. Send the request without On-Behalf-Of.'

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

/** @returns the token or the server key of a request (RFC 6750, section 2.1) */
const tokenOf = ({ headers, ws }: FastifyRequest): string | undefined =>
  /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? (ws ? offeredToken(headers) : undefined)

/** @returns the token or the server key of a request. @throws AppError `UNAUTHORIZED` if it has neither */
const requireToken = (request: FastifyRequest): string => {
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
    /** By default `users`. */
    callers?: Callers
  }
}
