import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { openDatabase } from '../../db/open.ts'
import { loadConfig } from '../../src/config.ts'
import { openSecrets } from '../../src/chat/secrets.ts'
import { operator } from '../support/operator.ts'
import { startServer, temporaryFolder } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { only, onPostgres, storedSecrets } from '../support/test-database.ts'
import { claimsOf, forgeToken } from '../support/token.ts'

const aboutFile = { skip: only('sqlite', 'the secret is a file beside the database.') }

const moduleOf = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href)

/**
 * Opens the secrets beside a database, and rotates them if requested. Prints each step on the secrets file, and is killed
 * before the nth step.
 */
const script = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const [path, nth, task] = process.argv.slice(2)
let steps = 0
for (const name of ['openSync', 'writeFileSync', 'fsyncSync', 'linkSync', 'renameSync']) {
  const call = fs[name]
  fs[name] = (...args) => {
    const isOurs = typeof args[0] === 'number' || String(args[0]).includes('.key')
    if (isOurs) {
      steps += 1
      if (steps === Number(nth)) process.kill(process.pid, 'SIGKILL')
      fs.writeSync(1, name + ' ' + (typeof args[0] === 'number' ? kindOf(args[0]) : '') + '\\n')
    }
    return call(...args)
  }
}
const kindOf = (file) => (fs.fstatSync(file).isDirectory() ? 'folder' : 'file')
syncBuiltinESMExports()
const { writeDurably } = await import(${moduleOf('db/dialects/sqlite/durable.ts')})
const { openSecrets } = await import(${moduleOf('src/chat/secrets.ts')})
const secrets = await openSecrets({}, {
  locate: (name) => path + '.' + name,
  read: async (name) => fs.existsSync(path + '.' + name) ? fs.readFileSync(path + '.' + name, 'utf8') : undefined,
  write: async (name, text, replace) => writeDurably(path + '.' + name, text, { replace, own() {} }),
})
if (task === 'rotate') await secrets.rotate(60_000)
fs.writeSync(1, 'secret ' + secrets.current + '\\n')
`

const runScript = async (t: Test, file: string, path: string, nth: number, task: string) => {
  const child = spawn(process.execPath, [file, path, `${nth}`, task], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [output, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const lines = output.trim().split('\n')
  return {
    isKilled: signal === 'SIGKILL',
    code,
    steps: lines.filter((line) => !line.startsWith('secret')),
    secret: /^secret (.*)$/m.exec(output)?.[1],
  }
}

t.test('a secret file is complete and synced before it gets its name', aboutFile, async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'script.mjs')
  writeFileSync(file, script)
  const durable = (name: string) => [
    'openSync ',
    'writeFileSync file',
    'fsyncSync file',
    name,
    'fsyncSync folder',
  ]
  const first = await runScript(t, file, join(folder, 'one'), 0, 'start')
  t.strictSame(first.steps, durable('linkSync '))
  const rotated = await runScript(t, file, join(folder, 'one'), 0, 'rotate')
  t.strictSame(rotated.steps, durable('renameSync '))
  t.match(readFileSync(join(folder, 'one.key'), 'utf8'), `${rotated.secret}\n${first.secret} `)
})

t.test(
  'a start or rotation killed at any step leaves either the old or the new secret',
  aboutFile,
  async (t) => {
    const folder = await temporaryFolder(t)
    const file = join(folder, 'script.mjs')
    writeFileSync(file, script)
    for (const task of ['start', 'rotate']) {
      let step = 0
      for (let isKilled = true; isKilled; ) {
        step += 1
        const path = join(folder, `${task}${step}`)
        if (task === 'rotate') writeFileSync(`${path}.key`, `${'a'.repeat(43)}\n`)
        ;({ isKilled } = await runScript(t, file, path, step, task))
        const kept = existsSync(`${path}.key`) ? readFileSync(`${path}.key`, 'utf8') : 'none'
        t.match(
          kept,
          task === 'start' ? /^(?:none|[\w-]{43}\n)$/ : /^(?:a{43}\n|[\w-]{43}\na{43} \d+\n)$/,
          `${step}`,
        )
        const again = await runScript(t, file, path, 0, 'start')
        t.equal(again.secret?.length, 43, 'the next start has a secret')
      }
      t.ok(step > 4, 'the process was killed')
    }
  },
)

t.test('concurrent starts agree on one secret', aboutFile, async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'script.mjs')
  writeFileSync(file, script)
  const ends = await Promise.all([1, 2, 3].map(() => runScript(t, file, join(folder, 'db'), 0, 'start')))
  t.equal(new Set(ends.map(({ secret }) => secret)).size, 1)
  t.equal(readFileSync(join(folder, 'db.key'), 'utf8'), `${ends[0]?.secret}\n`)
})

t.test('the secret file beside the database', aboutFile, async (t) => {
  const folder = await temporaryFolder(t)
  const url = `sqlite:${join(folder, 'messenger.db')}`
  const database = await openDatabase(url, { maxQueue: 10 })
  t.teardown(() => database.close())
  const { texts } = database
  const key = texts.locate('key')
  const config = loadConfig({ DATABASE_URL: url })

  t.test('the file is kept until a rotation replaces it', async (t) => {
    for (const [content, replace, expected] of [
      ['first', false, 'first'],
      ['second', false, 'first'],
      ['third', true, 'third'],
    ] as const) {
      await texts.write('key', content, replace)
      t.equal(await texts.read('key'), expected)
      t.equal(statSync(key).mode & 0o777, 0o600)
    }
  })

  t.test('the file is not written through a symbolic link', async (t) => {
    const target = join(folder, 'target')
    writeFileSync(target, 'of another user')
    symlinkSync(target, texts.locate('link'))
    await texts.write('link', 'secret', false)
    await texts.write('link', 'secret', true)
    t.equal(readFileSync(target, 'utf8'), 'of another user')
    t.equal(readFileSync(texts.locate('link'), 'utf8'), 'secret')
  })

  t.test('a secret file that cannot be written is an error, and the last secret stays in use', async (t) => {
    const secrets = await openSecrets(config, texts)
    const { current } = secrets
    const full = await openSecrets(config, {
      ...texts,
      async write() {
        throw new Error('no space left on device')
      },
    })
    await t.rejects(async () => full.rotate?.(1000), /no space left/)
    t.equal(full.current, current)
    t.equal(full.verifying().length, 1)
    await t.rejects(texts.write('no/such/folder', 'text', false), { code: 'ENOENT' })
    await t.rejects(texts.write('no/such/folder', 'text', true), { code: 'ENOENT' })
  })

  t.test('a file that holds no secret is refused with instructions', async (t) => {
    const secrets = await openSecrets(config, texts)
    const { current } = secrets
    writeFileSync(key, '\n')
    await t.rejects(secrets.reload(), { name: 'ConfigError' })
    t.equal(secrets.current, current, 'a running server keeps its secret')
    await t.rejects(openSecrets(config, texts), {
      name: 'ConfigError',
      message: /\.key holds no secret. Delete it/,
    })
  })
})

t.test('a server creates its secret at the first start and readable by its user only', async (t) => {
  const { folder, app, login } = await startServer(t)
  await login('max')
  if (!onPostgres) t.equal(statSync(`${folder}/messenger.db.key`).mode & 0o777, 0o600)
  const secret = (await storedSecrets(folder)).trim()
  t.ok(Buffer.from(secret, 'base64url').length >= 32)
  await app.close()
  const again = await startServer(t, {}, folder)
  t.equal((await storedSecrets(folder)).trim(), secret)
  t.ok(await again.login('max'))
})

t.test('a retired secret verifies tokens for one token lifetime and no longer', async (t) => {
  const { call, folder, login, url } = await startServer(t, { TOKEN_TTL: '6', HEARTBEAT_MS: '500' })
  const ned = await login('ned')
  const retired = (await storedSecrets(folder)).trim()
  await operator(folder, { TOKEN_TTL: '6' }).change('rotate-secret', { urgent: false })
  const until = Number(/ (\d+)$/.exec((await storedSecrets(folder)).trim())?.[1])
  const lasting = { ...claimsOf(ned.token), exp: Math.floor(Date.now() / 1000) + 3600 }
  const token = forgeToken({ alg: 'HS256', typ: 'JWT' }, lasting, retired)
  const me = () => call('GET', '/users/me', { token })
  t.equal((await me()).status, 200)
  const socket = await connect(t, url, token)
  t.match(await socket.closed, { code: 4401 })
  t.ok(Date.now() >= until)
  t.match(
    await me(),
    { status: 401, body: { code: 'UNAUTHORIZED' } },
    'a cached token with a later expiry is refused too',
  )
})

t.test('a secret that was removed from the environment verifies no token', async (t) => {
  const [before, now] = ['a'.repeat(32), 'b'.repeat(32)]
  const first = await startServer(t, { JWT_SECRET: before })
  const { token } = await first.login('oda')
  await first.app.close()
  const statusWith = async (env: Record<string, string>) => {
    const { app, call } = await startServer(t, env, first.folder)
    const { status } = await call('GET', '/users/me', { token })
    await app.close()
    return status
  }
  t.equal(await statusWith({ JWT_SECRET: now, JWT_SECRET_PREVIOUS: before }), 200)
  t.equal(await statusWith({ JWT_SECRET: now }), 401)
})
