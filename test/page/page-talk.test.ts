import t from 'tap'
import { noBrowser, openChat, pageOf, startBrowser } from '../support/browser.ts'
import { startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

t.test('two users talk and see the delivery state of their messages', { skip: noBrowser }, async (t) => {
  const { url } = await startServer(t)
  const browser = await startBrowser(t)
  const alice = await openChat(t, url, 'alice', { browser })
  const bob = await openChat(t, url, 'bob', { browser })

  await alice.find('bob')
  await alice.write('Are you there?')
  await alice.tick('Are you there?', 'Delivered')
  await bob.row('alice').getByText('1 unread').waitFor()
  t.equal(await bob.page.title(), '(1) Messenger')
  await bob.row('alice').click()
  await bob.bubble('Are you there?').waitFor()
  await alice.tick('Are you there?', 'Read')
  await bob.row('alice').getByText('unread').waitFor({ state: 'detached' })

  await bob.draft.pressSequentially('Yes')
  await alice.page.locator('#about', { hasText: 'typing…' }).waitFor()
  await bob.page.keyboard.press('Enter')
  await alice.bubble('Yes').waitFor()
  await alice.page.locator('#about', { hasText: 'online' }).waitFor()
  t.strictSame(await alice.texts(), ['Are you there?', 'Yes'])
  t.strictSame(await bob.texts(), ['Are you there?', 'Yes'])

  await bob.context.close()
  await alice.page.locator('#about', { hasText: 'last seen' }).waitFor()
})

t.test('a change in one tab appears in the other tab', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const first = await openChat(t, url, 'alice')
  await first.find('bob')
  await first.write('one')
  await first.tick('one', 'Sent')
  const second = pageOf(await first.context.newPage())
  await second.page.goto(url)
  await second.row('bob').click()
  await second.bubble('one').waitFor()

  await second.write('two')
  await first.bubble('two').waitFor()
  await first.choose('two', 'Edit')
  await first.write('deux')
  await second.bubble('deux').locator('.meta', { hasText: 'edited' }).waitFor()
  await second.choose('one', 'Delete')
  await second.page.getByRole('button', { name: 'Delete' }).click()
  await first.bubble('This message was deleted').waitFor()
  t.match(await bob.history('alice'), [
    { content: '', deleted_at: String },
    { content: 'deux', edited_at: String },
  ])

  // The first tab leaves the conversation. Reading in the second tab also clears the unread badge of the first.
  await first.page.goto(`${url}/#`)
  const message = await bob.send('alice', 'three')
  await second.bubble('three').waitFor()
  await first.row('bob').getByText('three').waitFor()
  await second.page.bringToFront()
  const socket = await bob.connect()
  const { read_up_to } = (await bob.conversations())[0] as never as { read_up_to: number }
  t.ok(read_up_to < message.id, 'the mark of bob has not moved')
  await first.row('bob').getByText('unread').waitFor({ state: 'detached' })
  await socket.close()
})
