import t from 'tap'
import { noBrowser, openChat, openPage, startBrowser } from '../support/browser.ts'
import { call, startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

const PICTURES = 'https://pictures.example'
const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'

t.test('the page may load pictures from the origins that the server names', async (t) => {
  const policyOf = async (env: Record<string, string>) => {
    const { url } = await startServer(t, env)
    const reply = await fetch(url)
    return { policy: reply.headers.get('content-security-policy') ?? '', html: await reply.text() }
  }
  const standard = await policyOf({})
  t.match(standard.policy, "img-src 'self';")
  t.match(standard.html, '<meta name="avatar-origins" content="">')
  const { policy, html } = await policyOf({ AVATAR_ORIGINS: `${PICTURES}, https://app.example` })
  t.match(policy, `img-src 'self' ${PICTURES} https://app.example;`)
  t.match(html, `<meta name="avatar-origins" content="${PICTURES} https://app.example">`)
})

t.test(
  'the page shows display names and allowed pictures, and the username as the title',
  { skip: noBrowser },
  async (t) => {
    const { url, login } = await startServer(t, { AVATAR_ORIGINS: PICTURES })
    const [bob, carol] = [await login('bob'), await login('carol')]
    const alice = await login('alice')
    await bob.call('PATCH', '/users/me', { display_name: 'Bob Brown', avatar_url: `${PICTURES}/bob.png` })
    await carol.call('PATCH', '/users/me', { avatar_url: 'https://elsewhere.example/carol.png' })
    const group = await bob.createGroup('Climbing', ['alice', 'carol'])
    await bob.send(group.id, 'at nine')
    await carol.send(group.id, 'at ten')
    await alice.send('bob', 'hello')

    const browser = await startBrowser(t)
    const requested: string[] = []
    const { page, row, bubble, ...chat } = await openPage(t, browser, url)
    page.on('request', (request) => requested.push(request.url()))
    let isFound = true
    await page.route(/^https:/, (route) =>
      isFound ? route.fulfill({ contentType: 'image/svg+xml', body: PICTURE }) : route.abort(),
    )
    await chat.login('alice')
    await row('Bob Brown').locator('.avatar img').waitFor()
    t.equal(await row('Bob Brown').locator('.name').getAttribute('title'), 'bob')
    await row('Climbing').getByText('carol: at ten').waitFor()

    await row('Climbing').click()
    await bubble('at nine').locator('.author', { hasText: 'Bob Brown' }).waitFor()
    t.equal(await bubble('at nine').locator('.author').getAttribute('title'), 'bob')
    await bubble('at nine').locator('.avatar img').waitFor()
    t.equal(await bubble('at ten').locator('.avatar').innerText(), 'C')
    t.equal(await bubble('at ten').locator('.avatar img').count(), 0, 'no picture of another site')

    await page.locator('#about').click()
    const members = page.getByRole('dialog').getByRole('list', { name: 'Members' })
    await members.getByText('Bob Brown').waitFor()
    await members.locator('.username', { hasText: 'bob' }).waitFor()
    await page.keyboard.press('Escape')

    await row('Bob Brown').click()
    await page.locator('#about', { hasText: 'Bob Brown' }).waitFor()
    await bob.call('PATCH', '/users/me', { display_name: 'Robert', avatar_url: null })
    await page.locator('#about', { hasText: 'Robert' }).waitFor()
    t.equal(await row('Robert').locator('.avatar img').count(), 0)
    await page.locator('#about').click()
    await page.getByRole('dialog').getByRole('heading', { name: 'Robert' }).waitFor()
    await page.getByRole('dialog').locator('.username', { hasText: 'bob' }).waitFor()
    isFound = false
    const wanted = page.waitForRequest(`${PICTURES}/gone.png`)
    await bob.call('PATCH', '/users/me', { avatar_url: `${PICTURES}/gone.png` })
    await wanted
    await row('Robert').locator('.avatar img').waitFor({ state: 'detached' })
    t.equal(await row('Robert').locator('.avatar').innerText(), 'R', 'a picture that fails to load')
    t.strictSame(
      [...new Set(requested.filter((one) => one.startsWith('https:')))],
      [`${PICTURES}/bob.png`, `${PICTURES}/gone.png`],
    )
  },
)

t.test('a user finds others by display name and edits their own profile', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  await bob.call('PATCH', '/users/me', { display_name: 'Robert Brown' })
  const { page } = await openChat(t, url, 'alice')
  await page.getByRole('searchbox').fill('rob')
  const found = page.locator('#people-list .row', { hasText: 'Robert Brown' })
  await found.locator('.username', { hasText: 'bob' }).waitFor()
  await found.click()
  await page.locator('#about', { hasText: 'Robert Brown' }).waitFor()

  await page.locator('#me').click()
  await page.getByRole('menuitem', { name: 'Edit profile…' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Display name').fill('Alice A.')
  await dialog.getByLabel('Address of a picture').fill('http://pictures.example/alice.png')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.locator('#avatar-url:invalid').waitFor()
  await dialog.getByLabel('Address of a picture').fill(`${PICTURES}/alice.png`)
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Profile saved.').waitFor()
  await page.locator('#me', { hasText: 'Alice A.' }).waitFor()
  const { body } = await call(url, 'GET', '/users/alice', { token: bob.token })
  t.match(body, { profile: { display_name: 'Alice A.', avatar_url: `${PICTURES}/alice.png` } })

  await page.locator('#me').click()
  await page.getByRole('menuitem', { name: 'Edit profile…' }).click()
  await dialog.getByLabel('Display name').fill('')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.locator('#me .name', { hasText: /^alice$/ }).waitFor()
})
