// A bot that answers each message once: MESSENGER_KEY=msk_… node examples/bot.ts
import { Messenger } from '@messenger/client'
import { fileStorage } from '@messenger/client/file'

const { MESSENGER_URL: url = 'http://localhost:3000', MESSENGER_KEY } = process.env

const asApp = async (method: string, path: string, body: object) => {
  const headers = { authorization: `Bearer ${MESSENGER_KEY}`, 'content-type': 'application/json' }
  const reply = await fetch(url + path, { method, headers, body: JSON.stringify(body) })
  if (!reply.ok) throw new Error(`${method} ${path}: ${await reply.text()}`)
  return reply.json() as Promise<{ token: string }>
}

await asApp('PUT', '/users/bot', { display_name: 'The bot' })
const bot = new Messenger({
  url,
  getToken: async () => (await asApp('POST', '/users/bot/tokens', { expires_in: 3600 })).token,
  // The bot continues where it stopped, and answers what it missed.
  storage: fileStorage('bot.storage'),
})
bot.on('message', ({ id, sender, conversation_id, content }) => {
  if (sender === 'bot') return
  // With the same client_id, an answer is stored once, however often it is sent.
  const answer = { conversation_id, content: `You wrote: ${content}`, client_id: `answer-${id}` }
  bot.send(answer).catch((error: Error) => console.error(`no answer to ${id}: ${error.message}`))
})
bot.on('state', ({ state, error }) => console.log(state, error?.message ?? ''))
await bot.connect()
