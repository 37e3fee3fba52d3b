import { execFileSync } from 'node:child_process'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runOutsideTap } from '../support/environment.ts'
import { spawnExample } from '../support/example.ts'
import { freePort } from '../support/process.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The output of each TypeScript sample, in document order. */
const expected = {
  'README.md': [/^online/m],
  'client/README.md': [/^online/m, /^1 conversations$/m],
}

t.test('the README samples run unchanged against a new server', async (t) => {
  const folder = await temporaryFolder(t)
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  for (const [path, outputs] of Object.entries(expected)) {
    const { url } = await startServer(t)
    const text = await readFile(join(root, path), 'utf8')
    const samples = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string)
    t.equal(samples.length, outputs.length, path)
    for (const [index, sample] of samples.entries()) {
      const file = join(folder, `${path.replace('/', '-')}-${index}.mts`)
      await writeFile(file, sample.replaceAll('http://localhost:3000', url))
      const { stdout } = await runOutsideTap([file])
      t.match(stdout, outputs[index], `${path}, sample ${index + 1}`)
      if (index === 0) {
        t.match(stdout, /^alice: Hello!$/m)
        t.match(stdout, /^stored as \d+$/m)
      }
    }
  }
})

t.test('the README takes users of an app from a session to a chat in under thirty lines', async (t) => {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const walk = readme.split('## From "my users have a session"')[1]?.split('\n## ')[0] as string
  const [shell, backend, page] = [...walk.matchAll(/^```(?:sh|js)\n(.*?)^```$/gms)].map(
    ([, code]) => code as string,
  )
  const lines = `${shell}${backend}${page}`.split('\n').filter((line) => line !== '')
  t.ok(lines.length < 30, `${lines.length} lines`)

  const app = `http://localhost:${await freePort()}`
  const printed = execFileSync('bash', [
    '-c',
    (shell as string).replace('npm ci\n', '').replace('npm start', "node -p 'JSON.stringify(process.env)'"),
  ])
  const { AUTH_MODE, CORS_ORIGINS, TOKEN_ISSUERS } = JSON.parse(
    printed.toString().replaceAll('http://localhost:8080', app),
  )
  const server = await startServer(t, { AUTH_MODE, CORS_ORIGINS, TOKEN_ISSUERS })
  const folder = await temporaryFolder(t)
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  const start = async (name: string, code: string) => {
    const file = join(folder, `${name}.mjs`)
    await writeFile(
      file,
      code.replaceAll('http://localhost:8080', app).replaceAll('http://localhost:3000', server.url),
    )
    return spawnExample(t, folder, {}, [process.execPath, file])
  }
  const started = await start(
    'backend',
    `import Fastify from 'fastify'
const app = Fastify()
const userOf = ({ headers: { user } }) => ({ username: user, name: user.toUpperCase() })
${backend}
await app.listen({ port: ${new URL(app).port} })
console.log('listens')`,
  )
  await started.until('listens')
  /** Runs the page as a browser does: paths belong to the app, and requests to it carry the session. */
  const openAs = (user: string) =>
    start(
      user,
      `const request = globalThis.fetch
globalThis.fetch = (to, options) =>
  to === '/chat-token' ? request('${app}' + to, { headers: { user: '${user}' } }) : request(to, options)
${page}`,
    )
  const bob = await openAs('bob')
  await bob.until('bob: Hello!')
  await openAs('ann')
  await bob.until('ann: Hello!')
  t.strictSame(await server.rows('select username, display_name from users order by id'), [
    { username: 'bob', display_name: 'BOB' },
    { username: 'ann', display_name: 'ANN' },
  ])
})
