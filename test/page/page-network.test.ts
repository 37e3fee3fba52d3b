import { build } from 'esbuild'
import t from 'tap'
import { noBrowser, openChat, startBrowser } from '../support/browser.ts'
import { startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

// With a heartbeat of 10 minutes, only the browser's network events can end the connection within the test's timeout.
t.test('the page shows at once that the device goes offline and online', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t, { HEARTBEAT_MS: '600000' })
  const alice = await openChat(t, url, 'alice')
  const bob = await login('bob')
  await alice.find('bob')

  await alice.context.setOffline(true)
  await alice.banner.getByText('No connection').waitFor()
  await alice.write('written offline')
  await alice.tick('written offline', 'Waiting to be sent')
  await bob.send('alice', 'sent to an offline device')

  await alice.context.setOffline(false)
  await alice.bubble('sent to an offline device').waitFor()
  await alice.tick('written offline', 'Sent')
  await alice.banner.getByText('No connection').waitFor({ state: 'detached' })
  t.strictSame(await alice.texts(), ['sent to an offline device', 'written offline'])
})

t.test(
  'a page of another origin connects when CORS_ORIGINS lists it, and otherwise gets an error that names the variable',
  { skip: noBrowser },
  async (t) => {
    const page = await startServer(t)
    const closed = await startServer(t)
    const open = await startServer(t, { CORS_ORIGINS: page.url })
    const browser = await startBrowser(t)
    // Without bypassCSP, the page's own policy blocks these requests before CORS does.
    const tab = await (await browser.newContext({ bypassCSP: true })).newPage()
    await tab.goto(page.url)
    const { outputFiles } = await build({
      stdin: { contents: "export * from '@messenger/client'", resolveDir: import.meta.dirname },
      bundle: true,
      format: 'iife',
      globalName: 'sdk',
      write: false,
    })
    await tab.addScriptTag({ content: outputFiles[0]?.text as string })
    const attempt = (url: string) =>
      tab.evaluate(async (url) => {
        const { Messenger } = (globalThis as never as { sdk: typeof import('@messenger/client') }).sdk
        const messenger = new Messenger({ url, username: 'alice' })
        const failed = new Promise((resolve) => {
          messenger.on('state', ({ error }) => error && resolve(error.message))
        })
        const outcome = await Promise.race([failed, messenger.connect().then(() => 'connected')])
        await messenger.close()
        return outcome
      }, url)
    t.match(await attempt(closed.url), `CORS_ORIGINS=${page.url}`)
    t.equal(await attempt(open.url), 'connected')
  },
)
