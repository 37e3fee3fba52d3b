import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { bundlePage } from '../../scripts/bundle-page.ts'
import { loadOnce } from '../../src/http/static-files.ts'
import { call, startServer } from '../support/server.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('the page loads and runs only files of its own server', async (t) => {
  const { url } = await startServer(t)
  const reply = await fetch(url)
  t.equal(reply.status, 200)
  t.equal(reply.headers.get('content-type'), 'text/html; charset=utf-8')
  t.equal(reply.headers.get('x-content-type-options'), 'nosniff')
  const policy = reply.headers.get('content-security-policy') ?? ''
  t.match(policy, "default-src 'none'")
  t.match(policy, "script-src 'self';")
  t.match(policy, "require-trusted-types-for 'script'")
  t.notMatch(policy, /unsafe|https?:|\*/, 'no inline code and no other host')
  const html = await reply.text()
  t.notMatch(html, /\b(?:src|href)="(?!\/assets\/|#icon-)/, 'every URL is a file of this server')
  t.notMatch(html, /VERSION/)

  const addresses = [...html.matchAll(/(?:src|href)="(\/.+?)"/g)].map(([, address]) => address as string)
  t.equal(addresses.length, 4)
  for (const address of addresses) {
    const file = await fetch(url + address)
    t.equal(file.status, 200, address)
    t.equal(file.headers.get('cache-control'), 'public, max-age=31536000, immutable')
    t.notMatch(await file.text(), /\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval)\b/)
  }
  const script = addresses.find((address) => address.endsWith('.js')) as string
  t.match(await (await fetch(url + script)).text(), /\/\/# sourceMappingURL=main\.js\.map\n$/)
  const map = await fetch(`${url}${script}.map`)
  t.match(await map.json(), { sources: ['../../client/src/client-id.ts'], sourcesContent: [String] })
  t.equal((await fetch(`${url}/unknown-page`)).status, 404)
})

t.test('a browser revalidates only the page, and receives it again only after a change', async (t) => {
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
  t.equal(await packed.text(), await plain.text(), 'both encodings carry the same page')

  const gone = await call(url, 'GET', '/assets/another-version/main.js')
  t.match(gone, { status: 404, body: { code: 'ROUTE_NOT_FOUND' } })
  t.equal((await call(url, 'GET', '/assets/another-version/..%2f..%2fpackage.json')).status, 404)
  t.equal((await call(url, 'POST', '/')).status, 405)
})

t.test('loadOnce retries after a failure and keeps the first result', async (t) => {
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

t.test('web/dist is the bundle of web/src', async (t) => {
  const folder = join(root, 'web/dist')
  const bundle = await bundlePage()
  t.strictSame(
    (await readdir(folder)).toSorted(),
    [...bundle.keys()].toSorted(),
    'npm run generate writes them',
  )
  for (const [name, text] of bundle) t.equal(await readFile(join(folder, name), 'utf8'), text, name)
})
