import t from 'tap'
import { noBrowser, openChat, openPage, startBrowser } from '../support/browser.ts'
import { startCable } from '../support/cable.ts'
import { startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

t.test(
  'a logout without a connection shows an error and keeps the session',
  { skip: noBrowser },
  async (t) => {
    const { app } = await startServer(t)
    const cable = await startCable(t, (app.server.address() as { port: number }).port)
    const { page, login } = await openPage(t, await startBrowser(t), cable.url)
    await login('alice')
    const choose = async (item: string) => {
      await page.locator('#me').click()
      await page.getByRole('menuitem', { name: item, exact: true }).click()
    }
    cable.pull()
    await choose('Log out everywhere…')
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Log out' }).click()
    await dialog.getByText('could not be reached').waitFor()
    await page.keyboard.press('Escape')
    await choose('Log out')
    await page.locator('#toast', { hasText: 'could not be reached' }).waitFor()
    t.ok(await page.locator('#me').isVisible(), 'the user stays logged in')
    cable.plug()
    await choose('Log out everywhere…')
    await dialog.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('Name').waitFor()
  },
)

t.test('the page loads everything again after its cursor becomes unknown', { skip: noBrowser }, async (t) => {
  const { app, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const first = await bob.send('alice', 'the very first')
  for (let number = 1; number <= 60; number += 1) await bob.send('alice', `message ${number}`)
  await bob.send('alice', 'an answer', { reply_to: first.id })
  await alice.call('PUT', `/conversations/${first.conversation_id}/receipt`, { read_up_to: first.id + 61 })
  const cable = await startCable(t, (app.server.address() as { port: number }).port)
  const page = await openChat(t, cable.url, 'alice')
  await page.row('bob').click()
  await page.bubble('an answer').getByText('the very first').waitFor()

  cable.pull()
  await page.banner.getByText('No connection').waitFor()
  await bob.call('PATCH', `/messages/${first.id}`, { content: 'edited meanwhile' })
  const { cursors } = app.chat
  const { parse } = cursors
  cursors.parse = () => {
    cursors.parse = parse
    return undefined
  }
  cable.plug()
  await page.bubble('an answer').getByText('edited meanwhile').waitFor()
  t.equal(await page.page.getByText('the very first').count(), 0)
})

t.test('the page works when the browser blocks or fills its storage', { skip: noBrowser }, async (t) => {
  const { url } = await startServer(t)
  const browser = await startBrowser(t)
  const alice = await openPage(t, browser, url)
  await alice.page.addInitScript(() => {
    Object.defineProperty(globalThis, 'localStorage', {
      get: () => {
        throw new DOMException('Access is denied.', 'SecurityError')
      },
    })
  })
  await alice.page.reload()
  await alice.login('alice')
  await alice.find('alice')
  await alice.write('a note')
  await alice.tick('a note', 'Read')
  await alice.page.reload()
  await alice.page.getByLabel('Name').waitFor()

  const bob = await openPage(t, browser, url)
  await bob.page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('It is full.', 'QuotaExceededError')
    }
  })
  await bob.page.reload()
  await bob.login('bob')
  await bob.page.locator('#toast', { hasText: 'Your login is not saved' }).waitFor()
  t.ok(await bob.page.locator('#me').isVisible())
})
