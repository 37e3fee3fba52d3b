// Serves page.html, the SDK and the tokens of its user: MESSENGER_KEY=msk_… node examples/page.ts
import { readFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'

const { MESSENGER_URL = 'http://localhost:3000', MESSENGER_KEY, PORT = '8080' } = process.env
const root = new URL('..', import.meta.url)

const asApp = async (method: string, path: string, body: object) => {
  const headers = { authorization: `Bearer ${MESSENGER_KEY}`, 'content-type': 'application/json' }
  const reply = await fetch(MESSENGER_URL + path, { method, headers, body: JSON.stringify(body) })
  if (!reply.ok) throw new Error(`${method} ${path}: ${await reply.text()}`)
  return reply.json() as Promise<{ token: string }>
}

const answer = async (path: string, response: ServerResponse) => {
  // Your app takes the user from its own session.
  if (path === '/chat-token') return response.end((await asApp('POST', '/users/ann/tokens', {})).token)
  if (path === '/settings.json') return response.end(JSON.stringify({ url: MESSENGER_URL }))
  const module = /^\/client\/([\w/-]+\.js)$/.exec(path)?.[1]
  const file =
    path === '/'
      ? 'examples/page.html'
      : module
        ? `client/dist/${module}`
        : `node_modules/openapi-fetch/dist/index.mjs`
  response.setHeader('content-type', path === '/' ? 'text/html' : 'text/javascript')
  return response.end(await readFile(new URL(file, root)))
}

await asApp('PUT', '/users/ann', { display_name: 'Ann' })
createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost')
  answer(pathname, response).catch((error: Error) => response.writeHead(500).end(error.message))
}).listen(Number(PORT), 'localhost', () => console.log(`open http://localhost:${PORT}`))
