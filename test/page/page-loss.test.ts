import t from 'tap'
import { noBrowser, openChat, pageOf, startBrowser } from '../support/browser.ts'
import { startCable } from '../support/cable.ts'
import { startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

t.test(
  'the page sends and receives every message once after a connection loss',
  { skip: noBrowser },
  async (t) => {
    const { url, login, app } = await startServer(t)
    const cable = await startCable(t, (app.server.address() as { port: number }).port)
    const browser = await startBrowser(t)
    const alice = await openChat(t, cable.url, 'alice', { browser })
    const bob = await openChat(t, url, 'bob', { browser })
    const carol = await login('carol')
    await alice.find('bob')
    await alice.write('before')
    await alice.tick('before', 'Delivered')
    await bob.row('alice').click()

    cable.pull()
    await alice.banner.getByText('No connection').waitFor()
    const [banner, title] = [
      await alice.banner.boundingBox(),
      await alice.page.locator('#about').boundingBox(),
    ]
    t.ok((banner?.y ?? 0) + (banner?.height ?? 0) <= (title?.y ?? 0), 'the banner does not cover the title')
    await alice.write('written during the loss 1')
    await alice.write('written during the loss 2')
    await alice.tick('written during the loss 2', 'Waiting to be sent')
    await bob.write('sent during the loss 1')
    await bob.write('sent during the loss 2')
    await bob.choose('sent during the loss 1', 'Edit')
    await bob.write('sent and edited')
    await bob.bubble('sent and edited').locator('.meta', { hasText: 'edited' }).waitFor()
    await carol.send('alice', 'from a new sender')
    cable.plug()

    await alice.bubble('sent during the loss 2').waitFor()
    await alice.tick('written during the loss 2', 'Read')
    await alice.banner.getByText('No connection').waitFor({ state: 'detached' })
    await bob.bubble('written during the loss 2').waitFor()
    const expected = [
      'before',
      'sent and edited',
      'sent during the loss 2',
      'written during the loss 1',
      'written during the loss 2',
    ]
    t.strictSame(await alice.texts(), expected)
    t.strictSame(await bob.texts(), expected)
    await alice.row('carol').getByText('1 unread').waitFor()
  },
)

t.test('the page sends the messages that an earlier page left unsent', { skip: noBrowser }, async (t) => {
  const { url, app, login } = await startServer(t)
  const bob = await login('bob')
  const cable = await startCable(t, (app.server.address() as { port: number }).port)
  const alice = await openChat(t, cable.url, 'alice')
  await alice.find('bob')
  cable.pull()
  await alice.write('do not lose me')
  await alice.tick('do not lose me', 'Waiting to be sent')
  await alice.page.close()
  cable.plug()
  const again = pageOf(await alice.context.newPage())
  const socket = await bob.connect()
  await again.page.goto(cable.url)
  await socket.wait('message', ({ content }) => content === 'do not lose me')
  await again.row('bob').click()
  await again.tick('do not lose me', 'Sent')
  t.strictSame(await again.texts(), ['do not lose me'])
  t.equal(url.startsWith('http'), true)
})
