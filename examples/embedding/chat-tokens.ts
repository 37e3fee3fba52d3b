import type { FastifyInstance } from 'fastify'
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import { getSetting, setSetting } from './database.ts'
import { userOf } from './sessions.ts'
import { appUrl } from './settings.ts'

/** Signs the chat tokens of the app's users. The key is stored, so that tokens stay valid after a restart. */
export const chatTokens = async (app: FastifyInstance) => {
  if (!getSetting('key')) {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true })
    setSetting('key', JSON.stringify({ ...(await exportJWK(privateKey)), kid: '1', alg: 'RS256' }))
  }
  const jwk = JSON.parse(getSetting('key') as string)
  const privateKey = await importJWK(jwk)
  const { kty, n, e, kid, alg } = jwk

  app.get('/jwks.json', () => ({ keys: [{ kty, n, e, kid, alg, use: 'sig' }] }))

  app.get('/chat-token', (request) => {
    const { username, name } = userOf(request)
    return new SignJWT({ name })
      .setProtectedHeader({ alg, kid })
      .setIssuer(appUrl)
      .setAudience('chat')
      .setSubject(username)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
  })
}
