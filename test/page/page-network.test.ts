import { build } from 'esbuild'
import t from 'tap'
import { noBrowser, openPage, startBrowser } from '../support/browser.ts'
import { startServer } from '../support/server.ts'

// A browser on a busy machine takes its time.
t.setTimeout(300_000)

// The server's heartbeat is 30 seconds by default, and the page waits 20 at most: what is seen comes from the events.
t.test(
  'the page shows at once that the device is offline, and that it is back',
  { skip: noBrowser },
  async (t) => {
    const { url, login } = await startServer(t, { HEARTBEAT_MS: '600000' })
    const browser = await startBrowser(t)
    const alice = await openPage(t, browser, url)
    await alice.login('alice')
    const bob = await login('bob')
    await alice.find('bob')

    await alice.context.setOffline(true)
    await alice.banner.getByText('No connection').waitFor()
    await alice.write('written offline')
    await alice.tick('written offline', 'Waiting to be sent')
    await bob.send('alice', 'sent to one who is offline')

    await alice.context.setOffline(false)
    await alice.bubble('sent to one who is offline').waitFor()
    await alice.tick('written offline', 'Sent')
    await alice.banner.getByText('No connection').waitFor({ state: 'detached' })
    t.strictSame(await alice.texts(), ['sent to one who is offline', 'written offline'])
  },
)

t.test(
  'a page of another origin is told of CORS_ORIGINS, and connects when it is listed',
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
