import jwt from '@fastify/jwt'
import type { FastifyRequest, preHandlerHookHandler } from 'fastify'
import plugin from 'fastify-plugin'
import type { Identity } from '../src/chat/context.ts'
import { createTokens, type Tokens, unauthorized } from '../src/chat/tokens.ts'
import { openSecrets, type Secrets, type VerifyingSecret } from '../src/chat/secrets.ts'

/** Tokens, and the hook that wants one before a protected call. */
export const auth = plugin(
  async (app) => {
    const { TOKEN_TTL } = app.config
    const secrets = openSecrets(app.config, app.database)
    await app.register(jwt, {
      secret: secrets.current,
      sign: { algorithm: 'HS256' },
      verify: { algorithms: ['HS256'], requiredClaims: ['exp', 'iat', 'jti', 'sub'] },
    })
    const { reader } = app.database
    const signer = {
      sign: (claims: object) => app.jwt.sign(claims, { key: secrets.current }),
      verify: (token: string) =>
        verifyWithAny(secrets.verifying(), ({ secret: key, until }) => {
          const { header, payload } = app.jwt.verify<CompleteToken>(token, { key, complete: true })
          if (Object.keys(header).some((name) => name !== 'alg' && name !== 'typ'))
            throw new Error('a header of somebody else')
          return { claims: payload, until }
        }),
    }
    app.decorate('secrets', secrets)
    const tokens = createTokens(signer, reader, app.chat.bus, TOKEN_TTL)
    app.decorate('tokens', tokens)
    app.decorateRequest('me', null as never)
    app.decorate('authenticate', (request, _reply, done) => {
      const found = tokens.verify(bearer(request))
      const goOn = (me: Identity) => {
        request.me = me
        done()
      }
      // Most tokens were seen before, and are not waited for.
      if (found instanceof Promise) found.then(goOn, done)
      else goOn(found)
    })
  },
  { name: 'auth', dependencies: ['database', 'chat'] },
)

/** What a token holds; its header is signed, and says nothing but how. */
type CompleteToken = { header: object; payload: unknown }

/** @returns what `verify` does with the first key that fits. @throws what it throws for the last one */
const verifyWithAny = <T>(keys: readonly VerifyingSecret[], verify: (key: VerifyingSecret) => T): T => {
  for (const key of keys.slice(0, -1)) {
    try {
      return verify(key)
    } catch {
      // An older key may fit.
    }
  }
  return verify(keys.at(-1) as VerifyingSecret)
}

/** @returns the token of a request. @throws AppError `UNAUTHORIZED` where there is none */
const bearer = ({ headers, ws }: FastifyRequest): string => {
  const token =
    /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? (ws ? offeredToken(headers) : undefined)
  if (!token) throw unauthorized('Send a token as in "Authorization: Bearer <token>"; POST /login gives one.')
  return token
}

/** Browsers can't set a header for a socket: they offer the token as a subprotocol. */
const offeredToken = (headers: FastifyRequest['headers']) =>
  /(?:^|,)\s*bearer\.([^\s,]+)/.exec(headers['sec-websocket-protocol'] ?? '')?.[1]

declare module 'fastify' {
  interface FastifyInstance {
    tokens: Tokens
    secrets: Secrets
    authenticate: preHandlerHookHandler
  }
  interface FastifyRequest {
    me: Identity
  }
}
