import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import type { PutWebhook } from '../../schemas/webhook.ts'
import { startExample } from '../support/example.ts'
import { freePort } from '../support/process.ts'
import { createApp } from '../support/server-key.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

t.test('webhook-receiver.ts stores each message once, also one from before it was connected', async (t) => {
  const server = await startServer(t, { WEBHOOK_ALLOW_PRIVATE: '1' })
  const { call } = await createApp(server)
  const ann = await server.login('ann')
  await ann.send('ann', 'before')

  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const { body } = await call<PutWebhook>('PUT', '/webhooks/receiver', { url, cursor: '0' })
  const home = await temporaryFolder(t)
  const env = { WEBHOOK_SECRET: body.secret as string, PORT: String(port) }
  const receiver = startExample(t, 'webhook-receiver.ts', home, env)
  await receiver.until('listening')
  const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': '1', 'webhook-signature': 'v1,AA==' }
  const forged = await fetch(url, { method: 'POST', headers, body: '{}' })
  t.equal(forged.status, 400, 'a request that the server has not signed is refused')

  await ann.send('ann', 'after')
  await call('PUT', '/webhooks/receiver', { url })
  const contents = () => {
    const db = new Sqlite(join(home, 'receiver.db'))
    const found = db.prepare('select content from messages order by id').pluck().all()
    db.close()
    return found
  }
  while (contents().length < 2) await pause(20)
  t.strictSame(contents(), ['before', 'after'])
  await receiver.kill()
})
