import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { loadOnce } from '../../src/http/static-files.ts'
import { call, startServer, temporaryFolder } from '../support/server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('the page comes from the server itself, and may run nothing but its own files', async (t) => {
  const { url } = await startServer(t)
  const reply = await fetch(url)
  t.equal(reply.status, 200)
  t.equal(reply.headers.get('content-type'), 'text/html; charset=utf-8')
  t.equal(reply.headers.get('x-content-type-options'), 'nosniff')
  const policy = reply.headers.get('content-security-policy') ?? ''
  t.match(policy, "default-src 'none'")
  t.match(policy, "require-trusted-types-for 'script'")
  t.notMatch(policy, /unsafe|https?:|\*/, 'neither inline code nor another host')
  const html = await reply.text()
  t.notMatch(html, /\b(?:src|href)="(?!\/assets\/|#icon-)/, 'each file is one of ours')
  t.notMatch(html, /VERSION/)

  const addresses = [...html.matchAll(/(?:src|href)="(\/.+?)"/g)].map(([, address]) => address as string)
  t.ok(addresses.length > 10)
  for (const address of addresses) {
    const file = await fetch(url + address)
    t.equal(file.status, 200, address)
    t.equal(file.headers.get('cache-control'), 'public, max-age=31536000, immutable')
    t.notMatch(await file.text(), /\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b/)
  }
  t.equal((await fetch(`${url}/docs-of-nobody`)).status, 404)
})

t.test('a browser asks again for the page only, and gets it only where it changed', async (t) => {
  const { url } = await startServer(t)
  const first = await fetch(url)
  t.equal(first.headers.get('cache-control'), 'no-cache')
  const again = await fetch(url, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } })
  t.equal(again.status, 304)
  t.equal(await again.text(), '')
  t.match(again.headers.get('content-security-policy'), "default-src 'none'")
  const plain = await fetch(url, { headers: { 'accept-encoding': 'identity' } })
  t.equal(plain.headers.get('content-encoding'), null)
  const packed = await fetch(url, { headers: { 'accept-encoding': 'br, gzip' } })
  t.equal(packed.headers.get('content-encoding'), 'gzip')
  t.equal(await packed.text(), await plain.text(), 'the same page')

  const gone = await call(url, 'GET', '/assets/another-version/js/main.js')
  t.match(gone, { status: 404, body: { code: 'ROUTE_NOT_FOUND' } })
  t.equal((await call(url, 'GET', '/assets/another-version/..%2f..%2fpackage.json')).status, 404)
  t.equal((await call(url, 'POST', '/')).status, 405)
})

t.test('what could not be loaded is tried again, and what was loaded is kept', async (t) => {
  let calls = 0
  const load = loadOnce(async () => {
    calls += 1
    if (calls === 1) throw new Error('too many open files')
    return calls
  })
  await t.rejects(load(), /too many open files/)
  t.strictSame(await Promise.all([load(), load()]), [2, 2])
  t.equal(await load(), 2)
})

t.test('what browsers run is what is written in web/src', async (t) => {
  const folder = await temporaryFolder(t)
  // Without the loaders that tap gives to every Node.js that is started in a test.
  const tsc = spawn(
    'env',
    ['-u', 'NODE_OPTIONS', join(root, 'node_modules/.bin/tsc'), '-p', 'web', '--outDir', folder],
    {
      cwd: root,
      stdio: 'inherit',
    },
  )
  t.strictSame(await once(tsc, 'exit'), [0, null])
  const names = await readdir(folder)
  t.strictSame(await readdir(join(root, 'web/dist')), names, 'npm run generate makes them')
  for (const name of names) {
    const [made, kept] = [join(folder, name), join(root, 'web/dist', name)]
    t.equal(await readFile(kept, 'utf8'), await readFile(made, 'utf8'), name)
  }
})
