import jwt from '@fastify/jwt'
import type { FastifyRequest, preHandlerHookHandler } from 'fastify'
import plugin from 'fastify-plugin'
import type { Identity } from '../src/chat/context.ts'
import { createTokens, type Tokens, unauthorized } from '../src/chat/tokens.ts'
import { networkOf } from '../src/chat/rate-limit.ts'
import { followSecrets, openSecrets, type Secrets, type VerifyingSecret } from '../src/chat/secrets.ts'
import type { Source } from '../src/load/turns.ts'

/**
 * Decorates `secrets`, `tokens`, `authenticate`, the hook that verifies the token of a request, and `sourceOf`, which says
 * before that whom the request is for.
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
    const tokens = createTokens(signer, app.chat, TOKEN_TTL)
    app.decorate('tokens', tokens)
    app.decorateRequest('me', null as never)
    app.decorate('authenticate', (request, _reply, done) => {
      const found = tokens.verify(bearer(request))
      const accept = (me: Identity) => {
        request.me = me
        done()
      }
      // Most tokens are cached. Those are accepted in the same turn of the event loop.
      if (found instanceof Promise) found.then(accept, done)
      else accept(found)
    })
    app.decorate('sourceOf', (request) => {
      const token = tokenOf(request)
      const known = token === undefined ? undefined : tokens.known(token)
      return known?.user_id ?? networkOf(request.ip)
    })
  },
  { name: 'auth', dependencies: ['database', 'chat'] },
)

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
      'The request has no token. Log in with POST /login and send "Authorization: Bearer <token>".',
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
    authenticate: preHandlerHookHandler
    /** The user of a token that was verified before, else the network of the client. */
    sourceOf: (request: FastifyRequest) => Source
  }
  interface FastifyRequest {
    me: Identity
  }
}
