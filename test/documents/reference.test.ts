import t from 'tap'
import { clientFrames } from '../../schemas/client-frames.ts'
import { serverFrames } from '../../schemas/server-frames.ts'
import { closeCodes } from '../../src/close-codes.ts'
import { errors } from '../../src/errors.ts'
import { startServer } from '../support/server.ts'

/** The addresses that a page loads, from its markup and its styles. */
const loaded = (text: string) =>
  [...text.matchAll(/(?:src|href)="([^"#]+)["#]|url\(([^)]+)\)/g)].map(
    ([, address, inCss]) => (address ?? inCss) as string,
  )

t.test('the reference pages load only files of the server, under a strict policy', async (t) => {
  const { url } = await startServer(t)
  for (const path of ['/docs', '/docs/socket']) {
    const reply = await fetch(url + path)
    t.equal(reply.status, 200)
    t.match(reply.headers.get('content-type'), /^text\/html/)
    const policy = reply.headers.get('content-security-policy') ?? ''
    t.match(policy, /^default-src 'none';script-src 'self';style-src 'self';/)
    t.notMatch(policy, /unsafe|http|\*/)
    const html = await reply.text()
    t.notMatch(html, /<script>|<style|style="|onclick=/, 'no inline code or styles, which the policy forbids')
    const addresses = new Set(loaded(html))
    t.ok(addresses.size > 3)
    for (const address of addresses) {
      t.match(address, /^\/\w/, 'the address is on this server')
      const file = await fetch(url + address)
      t.equal(file.status, 200, `${path} loads ${address}`)
      if (!address.endsWith('.css')) continue
      const foreign = loaded(await file.text()).filter((inCss) => !/^['"]?data:/.test(inCss))
      t.strictSame(foreign, [], `${address} loads no other file`)
    }
  }
})

t.test('the socket reference lists every frame, close code and error', async (t) => {
  const { url } = await startServer(t)
  const html = await (await fetch(`${url}/docs/socket`)).text()
  for (const { $id } of [...Object.values(clientFrames), ...Object.values(serverFrames)]) {
    t.ok(html.includes(`<h3 id="${$id}">`), String($id))
  }
  for (const name of [...Object.keys(closeCodes), ...Object.keys(errors)]) {
    t.ok(html.includes(`<code>${name}</code>`), name)
  }
  const targets = [...html.matchAll(/href="#([\w-]+)"/g)].map(([, id]) => id as string)
  t.ok(targets.length > 30)
  for (const id of new Set(targets)) t.ok(html.includes(` id="${id}"`), `#${id} is on the page`)
})

t.test('an unchanged file is not sent again, and an unknown file is a problem response', async (t) => {
  const { app, url } = await startServer(t)
  const first = await fetch(`${url}/docs/reference.css`)
  const text = await first.text()
  const etag = first.headers.get('etag') as string
  const again = await fetch(`${url}/docs/reference.css`, { headers: { 'if-none-match': etag } })
  t.equal(again.status, 304)
  t.equal(await again.text(), '')
  // A client without Accept-Encoding.
  const plain = await app.inject('/docs/reference.css')
  t.equal(plain.headers['content-encoding'], undefined)
  t.equal(plain.body, text, 'the file is the same with and without compression')
  for (const name of ['no-such-file', '..%2Fstyle.css', 'constructor', '__proto__']) {
    const unknown = await fetch(`${url}/docs/${name}`)
    t.equal(unknown.status, 404, name)
    t.match(await unknown.json(), { code: 'ROUTE_NOT_FOUND' })
  }
})
