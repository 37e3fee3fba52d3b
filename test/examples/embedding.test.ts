import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { noBrowser, startBrowser } from '../support/browser.ts'
import { startExample } from '../support/example.ts'
import { freePort, startProcess } from '../support/process.ts'
import type { ConversationList } from '../../schemas/conversation.ts'
import { createApp } from '../support/server-key.ts'
import { call, temporaryFolder } from '../support/server.ts'

// Starts several processes and a browser, which are slow on a busy machine.
t.setTimeout(300_000)

/** The shop reports the newest message of its customer. @returns the id of the message */
const reportNewest = async (url: string, key: string): Promise<number> => {
  const asShop = { token: key, headers: { 'on-behalf-of': 'shop' } }
  const { body } = await call<ConversationList>(url, 'GET', '/conversations', asShop)
  const id = body.conversations[0]?.last_message?.id as number
  const { status } = await call(url, 'POST', `/messages/${id}/reports`, {
    ...asShop,
    body: { reason: 'abuse' },
  })
  if (status !== 200) throw new Error(`report: ${status}`)
  return id
}

t.test(
  'one command starts the server and an app whose page chats, reports, and shows a suspension',
  { skip: noBrowser },
  async (t) => {
    const folder = await temporaryFolder(t)
    const [PORT, APP_PORT] = [String(await freePort()), String(await freePort())]
    const example = startExample(t, 'embedding/start.ts', folder, { FOLDER: folder, PORT, APP_PORT })
    const url = `http://localhost:${APP_PORT}`
    await example.until(`open ${url}`)
    for (const path of ['..%2f..%2fpackage.json', '..%2findex.js', 'index.js.map'])
      t.equal((await fetch(`${url}/client/${path}`)).status, 404, path)
    const browser = await startBrowser(t)
    const page = await (await browser.newContext()).newPage()
    page.on('pageerror', (error) => t.fail(`the page threw: ${error.stack}`))
    await page.goto(`${url}/?name=Ann`)
    await page.getByRole('button', { name: 'Order' }).click()
    await page.getByText('shop: Thank you for your order.').waitFor()
    await page.getByRole('textbox', { name: 'Message' }).fill('When will it come?')
    await page.keyboard.press('Enter')
    await page.getByText('ann: When will it come?').waitFor()
    t.equal(await page.getByRole('listitem').count(), 2)

    await page.getByRole('button', { name: 'Report' }).first().click()
    await example.until('report of "Thank you for your order." dismissed')
    await page.getByRole('textbox', { name: 'Message' }).fill('You idiot')
    await page.keyboard.press('Enter')
    await page.getByText('ann: You idiot').waitFor()
    await reportNewest(`http://localhost:${PORT}`, await readFile(join(folder, 'server.key'), 'utf8'))
    await page.getByText(/^This account is suspended until .*Reason: You insulted somebody\.$/).waitFor()
    await example.kill('SIGTERM')
  },
)

t.test(
  'an app with its own users has each message once after kill -9 of either side, pushes what nobody read, and decides about reports',
  async (t) => {
    const folder = await temporaryFolder(t)
    const [PORT, appPort] = [String(await freePort()), String(await freePort())]
    const app = `http://localhost:${appPort}`
    const issuer = {
      issuer: app,
      audience: 'chat',
      algorithms: ['RS256'],
      jwks_url: `${app}/jwks.json`,
    }
    const serverEnv = {
      PORT,
      AUTH_MODE: 'external',
      TOKEN_ISSUERS: JSON.stringify([issuer]),
      WEBHOOK_ALLOW_PRIVATE: '1',
    }
    let server = await startProcess(t, folder, serverEnv)
    const { key } = await createApp({ folder, url: server.url })
    const home = await temporaryFolder(t)
    const env = { PORT: appPort, MESSENGER_URL: server.url, MESSENGER_KEY: key, PUSH_AFTER_SECONDS: '1' }
    const startApp = async () => {
      const started = startExample(t, 'embedding/app.ts', home, env)
      await started.until('open http')
      return started
    }
    let running = await startApp()

    let cookie = ''
    const post = async <T>(path: string, body: object): Promise<T> => {
      const headers = { 'content-type': 'application/json', cookie }
      const reply = await fetch(app + path, { method: 'POST', headers, body: JSON.stringify(body) })
      cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? cookie
      if (!reply.ok) throw new Error(await reply.text())
      return (await reply.json()) as T
    }
    await post('/login', { username: 'ann@example.org', name: 'Ann' })
    const { conversation_id } = await post<{ conversation_id: number }>('/orders', { item: 'bicycle' })
    await running.until('push to ann@example.org: 1 unread, the newest: Thank you for your order.')

    const getToken = async () => (await fetch(`${app}/chat-token`, { headers: { cookie } })).text()
    const token = await getToken()
    const send = async (content: string) => {
      const { status } = await call(server.url, 'POST', '/send', {
        token,
        body: { conversation_id, content },
      })
      t.equal(status, 200)
    }
    await send('one')
    await running.kill()
    await send('two')
    server.child.kill('SIGKILL')
    await server.exited
    server = await startProcess(t, folder, serverEnv)
    running = await startApp()
    await send('three')
    const contents = () => {
      const db = new Sqlite(join(home, 'app.db'))
      const found = db.prepare('select content from messages order by id').pluck().all()
      db.close()
      return found
    }
    while (!contents().includes('three')) await pause(20)
    t.strictSame(contents(), ['Thank you for your order.', 'one', 'two', 'three'])

    await send('You idiot')
    await running.kill()
    const insult = await reportNewest(server.url, key)
    running = await startApp()
    await running.until('report of "You idiot" upheld')
    while (contents().at(-1) !== '') await pause(20)
    const suspended = { status: 403, body: { code: 'ACCOUNT_SUSPENDED' } }
    t.match(await call(server.url, 'GET', '/users/me', { token }), suspended)
    const asKey = { token: key }
    t.match(await call(server.url, 'GET', '/reports', asKey), {
      body: { reports: [{ message_id: insult, content: 'You idiot', status: 'resolved' }] },
    })
    const suspension = `/users/${encodeURIComponent('ann@example.org')}/suspension`
    t.equal((await call(server.url, 'DELETE', suspension, asKey)).status, 204)
    t.equal((await call(server.url, 'GET', '/users/me', { token })).status, 200)

    await post('/logout', {})
    t.equal((await call(server.url, 'GET', '/users/me', { token })).status, 401, 'the token has ended')
    t.equal((await fetch(`${app}/chat-token`, { headers: { cookie } })).status, 401)
    await running.kill()
  },
)
