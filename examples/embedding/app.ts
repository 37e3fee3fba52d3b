import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import cookie from '@fastify/cookie'
import Fastify from 'fastify'
import { chatTokens } from './chat-tokens.ts'
import { asApp } from './as-app.ts'
import { moderate } from './moderation.ts'
import { orders } from './orders.ts'
import { sessions } from './sessions.ts'
import { appUrl, port, serverUrl } from './settings.ts'
import { connectWebhook, webhook } from './webhook.ts'

const app = Fastify()
await app.register(cookie)
for (const part of [sessions, chatTokens, orders, webhook]) await app.register(part)

const file = (path: string) => readFile(new URL(`../../${path}`, import.meta.url))
const script = 'text/javascript'
app.get('/', async (_, reply) => reply.type('text/html').send(await file('examples/embedding/page.html')))
app.get('/settings.json', () => ({ url: serverUrl }))
app.get('/openapi-fetch.js', async (_, reply) =>
  reply.type(script).send(await file('node_modules/openapi-fetch/dist/index.mjs')),
)
app.get<{ Params: { '*': string } }>('/client/*', async ({ params: { '*': path } }, reply) =>
  // Without dots, a path leads to no other folder.
  /^[\w/-]+\.js$/.test(path)
    ? reply.type(script).send(await file(`client/dist/${path}`))
    : reply.callNotFound(),
)

await app.listen({ port })
const connect = async () => {
  // The account that speaks for the app.
  await asApp('PUT', '/users/shop', { display_name: 'The shop' })
  await connectWebhook()
  return true
}
// The server of the chat may start after the app.
while (!(await connect().catch((error: Error) => console.log(`no chat yet: ${error.message}`))))
  await sleep(500)
void moderate().catch(console.error)
console.log(`open ${appUrl}`)
