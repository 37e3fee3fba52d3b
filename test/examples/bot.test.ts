import t from 'tap'
import { noBrowser, startBrowser } from '../support/browser.ts'
import { startExample } from '../support/example.ts'
import { freePort } from '../support/process.ts'
import { createApp } from '../support/server-key.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

t.test('the bot answers each message once, also those that it missed while it was killed', async (t) => {
  const server = await startServer(t)
  const { key } = await createApp(server)
  const folder = await temporaryFolder(t)
  const env = { MESSENGER_URL: server.url, MESSENGER_KEY: key }
  const first = startExample(t, 'bot.ts', folder, env)
  await first.until('online')

  const ann = await server.login('ann')
  const socket = await ann.connect()
  await ann.send('bot', 'one')
  await socket.wait('message', ({ content }) => content === 'You wrote: one')
  await first.kill()
  await ann.send('bot', 'two')
  await ann.send('bot', 'three')
  const second = startExample(t, 'bot.ts', folder, env)
  await socket.wait('message', ({ content }) => content === 'You wrote: three')

  const history = await ann.history('bot')
  t.strictSame(
    history.filter(({ sender }) => sender === 'bot').map(({ content }) => content),
    ['You wrote: one', 'You wrote: two', 'You wrote: three'],
  )
  await second.kill()
})

t.test(
  'the page talks to the bot without a bundler, with tokens of its backend',
  { skip: noBrowser },
  async (t) => {
    const port = await freePort()
    const server = await startServer(t, { CORS_ORIGINS: `http://localhost:${port}` })
    const { key } = await createApp(server)
    const folder = await temporaryFolder(t)
    const env = { MESSENGER_URL: server.url, MESSENGER_KEY: key, PORT: String(port) }
    const [bot, backend] = [startExample(t, 'bot.ts', folder, env), startExample(t, 'page.ts', folder, env)]
    await Promise.all([bot.until('online'), backend.until('open http')])
    const page = await (await startBrowser(t)).newPage()
    page.on('pageerror', (error) => t.fail(`the page threw: ${error.stack}`))
    // The page gives the token to no server that a link names.
    await page.goto(`http://localhost:${port}/?server=http://localhost:1`)
    await page.getByRole('textbox', { name: 'Message' }).fill('Hello')
    await page.keyboard.press('Enter')
    await page.getByText('bot: You wrote: Hello').waitFor()
    t.strictSame(await page.getByRole('listitem').allTextContents(), ['ann: Hello', 'bot: You wrote: Hello'])
    await Promise.all([bot.kill(), backend.kill()])
  },
)
