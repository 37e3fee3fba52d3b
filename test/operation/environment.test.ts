import { readFileSync } from 'node:fs'
import t from 'tap'
import { Environment } from '../../schemas/environment.ts'
import { ConfigError, loadConfig } from '../../src/config.ts'

type Property = { default?: string | number; description?: string }
const properties = Object.entries(Environment.properties as Record<string, Property>)

t.test('.env.example lists exactly the variables of the schema with their defaults', async (t) => {
  const lines = readFileSync('.env.example', 'utf8').split('\n')
  const listed = lines.flatMap((line) => {
    const [, off, name, value] = /^(# ?)?([A-Z_]+)=(.*)$/.exec(line) ?? []
    return name === undefined ? [] : [[name, off ? undefined : value]]
  })
  t.strictSame(
    listed,
    properties.map(([name, schema]) => [
      name,
      schema.default === undefined ? undefined : String(schema.default),
    ]),
  )
  const text = lines.join('\n')
  for (const [name, { description }] of properties)
    t.ok(description && text.includes(`# ${description}\n`), name)
})

t.test('an absent or empty variable has its default', async (t) => {
  const config = loadConfig({ PORT: '', UNKNOWN: 'x', PATH: '/bin', JWT_SECRET: undefined })
  t.match(config, { PORT: 3000, HOST: '0.0.0.0', DATABASE_URL: 'sqlite:messenger.db', TOKEN_TTL: 86_400 })
  t.notOk('UNKNOWN' in config)
  t.notOk('JWT_SECRET' in config)
  t.ok(Object.isFrozen(config))
  t.equal(loadConfig({ PORT: '8080' }).PORT, 8080)
})

t.test('each invalid variable is named in the error', async (t) => {
  const fails = (env: Record<string, string>, sentence: RegExp) => {
    try {
      loadConfig(env)
      t.fail(JSON.stringify(env))
    } catch (error) {
      t.ok(error instanceof ConfigError)
      t.match((error as Error).message, sentence)
    }
  }
  fails({ PORT: 'x' }, /PORT must be integer/)
  fails({ PORT: '65536' }, /PORT must be <= 65535/)
  fails(
    { LOG_LEVEL: 'loud' },
    /LOG_LEVEL must be equal to one of the allowed values \(fatal, error, .*silent\)/,
  )
  fails({ MAX_MESSAGE_LENGTH: '65537' }, /MAX_MESSAGE_LENGTH must be <= 65536/)
  fails({ AUTH_MODE: 'none' }, /AUTH_MODE .* \(open, password, external\)/)
  fails({ TOKEN_TTL: '0', MAX_QUEUE: '-1' }, /TOKEN_TTL.*MAX_QUEUE.*See \.env\.example/)
})

t.test('production requires a long secret and an explicit mode', async (t) => {
  const production = { NODE_ENV: 'production', AUTH_MODE: 'password' }
  const name = { name: 'ConfigError' } as Error
  t.throws(() => loadConfig({ ...production, JWT_SECRET: 'x'.repeat(31) }), name)
  t.throws(() => loadConfig({ NODE_ENV: 'production', JWT_SECRET: 'x'.repeat(32) }), name)
  const rotated = { ...production, JWT_SECRET: 'x'.repeat(32) }
  t.throws(
    () => loadConfig({ ...rotated, JWT_SECRET_PREVIOUS: 'x'.repeat(31) }),
    /JWT_SECRET_PREVIOUS is shorter than 32 bytes/,
  )
  t.ok(loadConfig({ ...rotated, JWT_SECRET_PREVIOUS: 'y'.repeat(32) }))
  t.ok(loadConfig({ ...production, JWT_SECRET: 'ü'.repeat(16) }), '32 bytes are long enough')
  t.ok(loadConfig(production), 'the generated secret is accepted')
  t.ok(loadConfig({ JWT_SECRET: 'x' }), 'other environments accept a short secret')
})

t.test('lists of proxies and origins are parsed entry by entry', (t) => {
  const right = {
    TRUST_PROXY: 'loopback, 10.0.0.0/8,::1, 192.0.2.1/32, 2001:db8::/128',
    CORS_ORIGINS: 'https://chat.example.org',
    AVATAR_ORIGINS: 'https://pictures.example.org,https://app.example.org',
  }
  t.match(loadConfig(right), right)
  for (const TRUST_PROXY of [
    'nonsense',
    '10.0.0.0/x',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '::1/129',
    '10.0.0.0/08',
  ]) {
    t.throws(() => loadConfig({ TRUST_PROXY }), /TRUST_PROXY has ".+", which is not an address or a network/)
  }
  for (const CORS_ORIGINS of ['chat.example.org', 'https://chat.example.org/']) {
    t.throws(() => loadConfig({ CORS_ORIGINS }), /CORS_ORIGINS has ".+", which is not an origin/)
  }
  t.throws(
    () => loadConfig({ AVATAR_ORIGINS: 'https:' }),
    /AVATAR_ORIGINS has "https:", which is not an origin/,
  )
  t.end()
})

t.test('the Node options of the server are the same in every file', async (t) => {
  const [unit, image, script, file] = [
    ['docs/OPERATIONS.md', /^ExecStart=(.*)$/m],
    ['Dockerfile', /^CMD (.*)$/m],
    ['package.json', /"start": (.*)$/m],
    ['bin/messenger.js', /^#!(.*)$/m],
  ].map(([name, line]) =>
    (line as RegExp).exec(readFileSync(name as string, 'utf8'))?.[1]?.match(/--[\w=-]+/g),
  )
  t.ok(script)
  for (const options of [unit, image, file]) t.strictSame(options, script)
})
