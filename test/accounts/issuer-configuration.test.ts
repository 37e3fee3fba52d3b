import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openIssuers } from '../../src/chat/issuers.ts'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { AUDIENCE, ec, ed25519, ISSUER, jwk, pem, rsa, rsaIssuer } from '../support/issuer.ts'
import { temporaryFolder } from '../support/server.ts'

const open = (TOKEN_ISSUERS: string) => openIssuers(loadConfig({ TOKEN_ISSUERS }), () => {})
const { public_key: _, ...base } = rsaIssuer

const fails = (test: Test, text: string, sentence: RegExp) => {
  try {
    open(text)
    test.fail(text)
  } catch (error) {
    test.ok(error instanceof ConfigError)
    test.match((error as Error).message, sentence)
    test.notMatch((error as Error).message, /hush/, 'no secret is shown')
  }
}

t.test(
  'a missing, weak, private or unsuitable key stops the start with an error that names the mistake',
  async (t) => {
    const refused = (more: object, sentence: RegExp) =>
      fails(t, JSON.stringify([{ ...base, ...more }]), sentence)
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const hush = 'hush '.repeat(6)
    refused({}, /Entry 0 of TOKEN_ISSUERS needs exactly one of jwks_url, public_key and secret/)
    refused({ public_key: pem(rsa), secret: hush }, /exactly one of/)
    refused({ algorithms: ['HS256'], secret: hush }, /shorter than the 32 bytes that HS256 needs/)
    refused(
      { algorithms: ['HS256', 'HS512'], secret: `${hush}..` },
      /shorter than the 64 bytes that HS512 needs/,
    )
    refused(
      { algorithms: ['RS256', 'HS256'], public_key: pem(rsa) },
      /has HS256 in algorithms, which needs a secret/,
    )
    refused(
      { algorithms: ['HS256', 'RS256'], secret: hush },
      /has a secret, which RS256 in algorithms does not use/,
    )
    refused({ algorithms: ['HS256'], jwks_url: 'https://x.org' }, /which needs a secret/)
    refused({ public_key: pem(small) }, /an RSA key of 1024 bits. 2048 is the minimum/)
    refused({ public_key: rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) }, /has a private key/)
    refused({ public_key: rsa.privateKey.export({ format: 'jwk' }) }, /has a private key/)
    for (const public_key of ['hush', { kty: 'RSA' }, { kty: 'oct', k: 'hush' }, { kty: 'x' }])
      refused({ public_key }, /neither a PEM text nor a JWK/)
    refused({ public_key: pem(ed25519) }, /of the type ed25519, which RS256 in algorithms does not use/)
    refused({ algorithms: ['ES256'], public_key: jwk(ec('P-384')) }, /of the type secp384r1, which ES256/)
    for (const jwks_url of ['x', '/jwks', 'https://user:hush@x.org/jwks', 'https://:hush@x.org'])
      refused({ jwks_url }, /has a jwks_url that is not a URL, or has a password/)
    for (const jwks_url of [
      'http://x.org',
      'http://10.0.0.1',
      'http://127.0.0.1.x.org',
      'http://localhost.x.org',
      'file:///etc/passwd',
      'data:,{}',
    ])
      refused({ jwks_url }, /has a jwks_url without https/)
  },
)

t.test('a jwks_url on the loopback interface may use http', async (t) => {
  for (const host of ['localhost:3000', '127.0.0.1', '127.1.2.3', '[::1]:80'])
    t.equal(open(JSON.stringify([{ ...base, jwks_url: `http://${host}/jwks` }])).size, 1, host)
  t.equal(open(JSON.stringify([{ ...base, jwks_url: 'https://login.example.org/jwks' }])).size, 1)
})

t.test('an invalid list stops the start with an error that names the mistake', async (t) => {
  const wrong = (value: unknown, sentence: RegExp) => fails(t, JSON.stringify(value), sentence)
  fails(t, '[hush', /TOKEN_ISSUERS is not valid JSON/)
  wrong({ hush: 1 }, /TOKEN_ISSUERS is not valid: it must be array/)
  wrong([{ ...rsaIssuer, issuer: '' }], /\/0\/issuer must NOT have fewer than 1 char/)
  wrong(
    [{ ...rsaIssuer, algorithms: ['none'] }],
    /\/0\/algorithms\/0 must be equal to one of the allowed values/,
  )
  wrong([{ ...rsaIssuer, algorithms: [] }], /\/0\/algorithms must NOT have fewer/)
  wrong([{ ...rsaIssuer, audience: [] }], /\/0\/audience/)
  wrong([{ ...rsaIssuer, audience: undefined }], /\/0 must have required property 'audience'/)
  wrong([{ ...rsaIssuer, jwks_uri: 'x' }], /\/0 must NOT have additional properties \(jwks_uri\)/)
  wrong([rsaIssuer, rsaIssuer], /Entry 1 of TOKEN_ISSUERS has the issuer of an earlier entry/)
  t.equal(open('[]').size, 0)
  t.strictSame([...open(JSON.stringify([{ ...rsaIssuer, audience: [AUDIENCE, 'x'] }])).keys()], [ISSUER])
})

t.test('the error about a missing or invalid file names the file', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'issuers.json')
  fails(t, path, /The file .*issuers\.json of TOKEN_ISSUERS cannot be read: ENOENT/)
  await writeFile(path, 'hush')
  fails(t, path, /The file .*issuers\.json of TOKEN_ISSUERS is not valid JSON/)
  await writeFile(path, '{}')
  fails(t, path, /The file .*issuers\.json of TOKEN_ISSUERS is not valid: it must be array/)
})
