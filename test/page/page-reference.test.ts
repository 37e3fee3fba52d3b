import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import t from 'tap'
import { noBrowser, openPage, startBrowser } from '../support/browser.ts'
import { startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

t.test(
  'the HTTP reference logs in with a form, stays logged in after a reload, and logs out',
  { skip: noBrowser },
  async (t) => {
    const { url, login: person } = await startServer(t)
    await person('bob')
    const { page } = await openPage(t, await startBrowser(t), `${url}/docs`)
    const send = page.locator('#operations-Messages-sendMessage')
    const execute = async (body?: string) => {
      if (body !== undefined) await send.locator('textarea.body-param__text').fill(body)
      const reply = page.waitForResponse(`${url}/send`)
      await send.getByRole('button', { name: 'Execute' }).click()
      return (await reply).status()
    }
    const open = async () => {
      await send.locator('.opblock-summary').click()
      await send.getByRole('button', { name: 'Try it out' }).click()
    }

    await t.test('the form logs in with the keyboard alone', async (t) => {
      const name = page.getByRole('textbox', { name: 'Username' })
      await name.focus()
      await page.keyboard.type('alice')
      await page.keyboard.press('Enter')
      const button = page.getByRole('button', { name: 'Log out' })
      await button.waitFor()
      t.match(await page.locator('#logout').textContent(), 'Logged in as alice')
      t.ok(
        await button.evaluate((element) => element === element.ownerDocument.activeElement),
        'the focus stays in the form',
      )
      t.equal(await page.locator('#login').isVisible(), false)
    })

    await t.test('the example request succeeds as it is and after an edit', async (t) => {
      await open()
      const example = JSON.parse(await send.locator('textarea.body-param__text').inputValue()) as object
      t.equal(await execute(), 200)
      t.equal(await execute(JSON.stringify({ ...example, content: 'another text' })), 200)
    })

    await t.test('the responses list the error codes of the operation', async (t) => {
      const text = (await send.locator('.responses-wrapper').textContent()) ?? ''
      t.match(text, 'IDEMPOTENCY_KEY_REUSED')
      t.notMatch(text, 'GROUP_FULL')
    })

    await t.test('a reload keeps the session', async (t) => {
      await page.reload()
      await page.getByRole('button', { name: 'Log out' }).waitFor()
      // The fragment of the URL opens the operation again.
      await send.getByRole('button', { name: 'Try it out' }).click()
      t.equal(await execute(), 200)
    })

    await t.test('a logout revokes the token and removes it', async (t) => {
      const reply = page.waitForResponse(`${url}/logout`)
      await page.getByRole('button', { name: 'Log out' }).click()
      t.equal((await reply).status(), 204)
      await page.getByRole('textbox', { name: 'Username' }).waitFor()
      t.equal(await page.evaluate('sessionStorage.length'), 0)
      t.equal(await execute(), 401)
      await page.reload()
      await page.getByRole('textbox', { name: 'Username' }).waitFor()
    })
  },
)

t.test('the form asks for a password when the login fails without one', { skip: noBrowser }, async (t) => {
  const { url, login: person } = await startServer(t)
  const alice = await person('alice')
  await alice.call('PUT', '/users/me/password', { password: 'a long sentence' })
  const { page } = await openPage(t, await startBrowser(t), `${url}/docs`)
  await page.getByRole('textbox', { name: 'Username' }).fill('alice')
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.getByRole('alert').filter({ hasText: /\w/ }).waitFor()
  await page.keyboard.type('a long sentence')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Log out' }).waitFor()
  t.equal(await page.getByRole('alert').textContent(), '')

  await page.context().setOffline(true)
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor()
  t.ok(
    await page.getByRole('button', { name: 'Log out' }).isVisible(),
    'the session stays after a failed logout',
  )
})

t.test('the login form of the reference has no accessibility violations', { skip: noBrowser }, async (t) => {
  const { url } = await startServer(t)
  const { page } = await openPage(t, await startBrowser(t), `${url}/docs`)
  await page.getByRole('textbox', { name: 'Username' }).waitFor()
  await page.evaluate(readFileSync(axe, 'utf8'))
  const found = await page.evaluate(
    `axe.run('.access').then(({ violations }) => violations.map(({ id }) => id))`,
  )
  t.strictSame(found, [])
})
