import t from 'tap'
import { noBrowser, openChat, openPage, startBrowser } from '../support/browser.ts'
import { call, startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

t.test(
  'the page asks for a password when the name has one, and stays logged in after a reload',
  { skip: noBrowser },
  async (t) => {
    const { url, login } = await startServer(t)
    const owner = await login('alice')
    await owner.call('PUT', '/users/me/password', { password: 'correct horse' })
    const browser = await startBrowser(t)
    const { page, context, ...alice } = await openPage(t, browser, url)
    await page.getByLabel('Name').fill('alice')
    await page.keyboard.press('Enter')
    await page.getByText('alice has a password. Enter it to log in.').waitFor()
    t.equal(await page.evaluate(() => document.activeElement?.id), 'password')
    await page.keyboard.type('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('The name or the password is wrong.').waitFor()
    await page.keyboard.type('correct horse')
    await page.keyboard.press('Enter')
    await page.locator('#me .state', { hasText: 'online' }).waitFor()

    await page.reload()
    await page.locator('#me .state', { hasText: 'online' }).waitFor()
    await page.locator('#me').click()
    await page.getByRole('menuitem', { name: 'Set password…' }).click()
    await page.getByLabel('Current password').fill('correct horse')
    await page.getByLabel('New password').fill('battery staple')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Password saved.').waitFor()
    const again = { username: 'alice', password: 'battery staple' }
    t.equal((await call(url, 'POST', '/login', { body: again })).status, 200)

    // A logout in one tab also logs out the other tab.
    const second = await context.newPage()
    await second.goto(url)
    await second.locator('#me .state', { hasText: 'online' }).waitFor()
    await second.locator('#me').click()
    await second.getByRole('menuitem', { name: 'Log out everywhere…' }).click()
    await second.getByRole('button', { name: 'Log out' }).click()
    await second.getByLabel('Name').waitFor()
    await page.getByLabel('Name').waitFor()
    await alice.login('another.user')
  },
)

t.test('a link and the search find a name in every spelling', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const names = ['straße', 'ΟΔΟΣ']
  await login('alice')
  for (const name of names) await (await login(name)).send('alice', `from ${name}`)
  const { page, row, bubble } = await openChat(t, `${url}/#with/STRASSE`, 'alice')
  await bubble('from straße').waitFor()
  t.equal(await row('straße').getAttribute('aria-current'), 'true')
  for (const [index, spelling] of ['STRASS', 'οδος'].entries()) {
    await page.getByRole('searchbox').fill(spelling)
    await row(names[1 - index] as string).waitFor({ state: 'detached' })
    t.ok(await row(names[index] as string).isVisible(), spelling)
  }
})

t.test('a member who rejoins a group sees the edits made in between', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const [bob] = [await login('bob'), await login('alice')]
  const group = await bob.createGroup('Climbing', ['alice'])
  const send = (content: string, more = {}) => bob.send(group.id, content, more)
  const first = await send('at nine')
  // The first message is older than the loaded page. It appears only as a quote.
  for (let n = 0; n < 50; n++) await send(`filler ${n}`)
  const last = await send('all right?', { reply_to: first.id })
  const reader = await login('alice')
  await reader.call('PUT', `/conversations/${group.id}/receipt`, { read_up_to: last.id })
  const { page, row, bubble } = await openChat(t, url, 'alice')
  await row('Climbing').click()
  await bubble('at nine').waitFor()
  t.match(await bubble('at nine').innerText(), /all right\?/)
  const place = `/groups/${group.id}/members/alice`
  await bob.call('DELETE', place)
  await page.getByText('You are no longer in this group.').waitFor()
  await bob.call('PATCH', `/messages/${first.id}`, { content: 'at ten' })
  await bob.call('PATCH', `/messages/${last.id}`, { content: 'all well?' })
  await bob.call('PUT', place)
  await bubble('all well?').waitFor()
  await bubble('at ten').waitFor()
  t.equal(await bubble('at nine').count(), 0)
})

t.test('the page creates, renames, extends and leaves a group', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  await login('carol')
  const { page, row, write, bubble, tick } = await openChat(t, url, 'alice')
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Create group' }).click()
  await dialog.getByLabel('Title').fill('Walks')
  await dialog.getByLabel('People').fill('bo')
  await dialog.getByRole('checkbox', { name: 'bob' }).check()
  await dialog.getByRole('button', { name: 'Create' }).click()
  await page.locator('#about', { hasText: '2 members' }).waitFor()
  await write('Who comes?')
  await tick('Who comes?', 'Sent')

  const [group] = await bob.conversations()
  t.match(group, { kind: 'group', title: 'Walks', unread_count: 1 })
  await bob.call('PUT', `/conversations/${group?.id}/receipt`, { read_up_to: group?.last_message?.id })
  await tick('Who comes?', 'Read')

  const openAbout = async () => {
    await page.locator('#about').click()
    await dialog.getByRole('list', { name: 'Members' }).waitFor()
  }
  await openAbout()
  await dialog.getByRole('button', { name: 'Rename' }).click()
  await dialog.getByLabel('Title').fill('Long walks')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row('Long walks').waitFor()
  await openAbout()
  await dialog.getByRole('button', { name: 'Add people' }).click()
  await dialog.getByLabel('People').fill('carol')
  await dialog.getByRole('checkbox', { name: 'carol' }).check()
  await dialog.getByRole('button', { name: 'Add' }).click()
  await page.locator('#about', { hasText: '3 members' }).waitFor()
  await openAbout()
  // Removing a member and leaving each need a confirmation.
  const membersNow = async () => (await bob.conversation(group?.id as number)).member_count
  await dialog.getByRole('button', { name: 'Remove bob' }).click()
  await page.getByRole('dialog', { name: 'Remove bob?' }).getByRole('button', { name: 'Cancel' }).click()
  t.equal(await membersNow(), 3)
  await openAbout()
  await dialog.getByRole('button', { name: 'Remove bob' }).click()
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click()
  await dialog.getByText('2 members').waitFor()
  await dialog.getByRole('button', { name: 'Leave…' }).click()
  await page.getByRole('dialog', { name: 'Leave Long walks?' }).waitFor()
  t.equal(await page.getByRole('textbox', { name: 'Message', includeHidden: true }).isVisible(), true)
  await dialog.getByRole('button', { name: 'Leave', exact: true }).click()
  await page.getByText('You are no longer in this group.').waitFor()
  t.equal(await page.getByRole('textbox', { name: 'Message' }).isVisible(), false)
  t.match(await bob.conversations(), [{ title: 'Long walks', member_count: Number }])
  await bubble('Who comes?').waitFor()
})

t.test('a retry after a lost reply does not create a second group', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const { page } = await openChat(t, url, 'alice')
  await bob.send('alice', 'hello')
  await page.route(
    '**/groups',
    async (route) => {
      await route.fetch()
      await route.abort()
    },
    { times: 1 },
  )
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Create group' }).click()
  await dialog.getByLabel('Title').fill('Walks')
  await dialog.getByRole('checkbox', { name: 'bob' }).check()
  await dialog.getByRole('button', { name: 'Create' }).click()
  await dialog.getByText('could not be reached').waitFor()
  await dialog.getByRole('button', { name: 'Create' }).click()
  await page.locator('#about', { hasText: '2 members' }).waitFor()
  const groups = (await bob.conversations()).filter(({ kind }) => kind === 'group')
  t.equal(groups.length, 1)
})

t.test('a blocked user cannot be written to until the user is unblocked', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const [bob, reader] = [await login('bob'), await login('alice')]
  const { page, find, write, tick, ...alice } = await openChat(t, url, 'alice')
  await find('bob')
  await page.locator('#about').click()
  await page.getByRole('button', { name: 'Block bob' }).click()
  const confirmation = page.getByRole('dialog', { name: 'Block bob?' })
  await confirmation.waitFor()
  t.strictSame((await reader.call('GET', '/blocks')).body, { blocks: [] }, 'one click does not block')
  await confirmation.getByRole('button', { name: 'Block', exact: true }).click()
  await page.getByText('You have blocked bob.').waitFor()
  const refused = await bob.call('POST', '/send', { receiver_username: 'alice', content: 'hello' })
  t.match(refused, { status: 403, body: { code: 'BLOCKED' } })
  await page.locator('#me').click()
  await page.getByRole('menuitem', { name: 'Manage blocked people…' }).click()
  await page.getByRole('button', { name: 'Unblock bob' }).click()
  await page.getByText('You have not blocked anyone.').waitFor()
  await page.getByRole('button', { name: 'Close' }).click()
  await write('peace')
  await tick('peace', 'Sent')

  // A message that the server refuses stays in the conversation with a note.
  await bob.call('PUT', '/blocks/alice')
  await write('are you there?')
  await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor()
  await page.getByText('not sent').waitFor()
  await bob.call('DELETE', '/blocks/alice')
  await alice.choose('are you there?', 'Try again')
  await tick('are you there?', 'Sent')
})

t.test('a user without conversations sees how to try the page alone', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const permissions = ['clipboard-read', 'clipboard-write']
  const alice = await openChat(t, url, 'alice', { permissions })
  await alice.page.getByText('in a private window').waitFor()
  await alice.page.getByRole('button', { name: 'Copy address' }).click()
  await alice.page.getByText('Address copied.').waitFor()
  t.equal(await alice.page.evaluate(() => navigator.clipboard.readText()), url)
  await (await login('bob')).send('alice', 'hello')
  await alice.row('bob').waitFor()
  t.equal(await alice.page.getByText('in a private window').isVisible(), false)
})
