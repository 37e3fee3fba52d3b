import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { noBrowser, openChat, openPage, startBrowser } from '../support/browser.ts'
import { startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

type Violation = { id: string; nodes: { html: string; failureSummary?: string }[] }

/** Fails the test for each accessibility violation that axe-core finds on the page. */
const checkAccess = async (t: Test, page: Page, title: string) => {
  // evaluate() uses the debugger, because the CSP of the page blocks foreign scripts.
  await page.evaluate(axe)
  const { violations } = await page.evaluate<{ violations: Violation[] }>('axe.run()')
  t.strictSame(
    violations.map(({ id, nodes }) => [
      id,
      ...nodes.map(({ html, failureSummary }) => html + failureSummary),
    ]),
    [],
    title,
  )
}

t.test('the page supports every action with the keyboard alone', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const browser = await startBrowser(t)
  const { page, bubble, log, tick, draft } = await openPage(t, browser, url)
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key)
  }
  const focused = () => page.evaluate(() => document.activeElement?.id)
  t.equal(await focused(), 'username', 'the name field has the focus after loading')
  await page.keyboard.type('alice')
  await press('Enter')
  await page.locator('#me .state', { hasText: 'online' }).waitFor()

  await press('Control+k')
  await page.keyboard.type('bob')
  await page.locator('#people-list').getByRole('link', { name: 'bob' }).waitFor()
  await press('ArrowDown', 'Enter')
  await page.locator('#about', { hasText: 'bob' }).waitFor()
  await page.waitForFunction(() => document.activeElement?.id === 'draft')
  await page.keyboard.type('first line')
  await press('Shift+Enter')
  await page.keyboard.type('second line')
  await press('Enter')
  await tick('first line', 'Sent')
  t.equal((await bob.history('alice'))[0]?.content, 'first line\nsecond line')
  t.equal(await focused(), 'draft', 'the composer keeps the focus after a send')

  await press('ArrowUp')
  await page.getByText('Edit message').waitFor()
  await press('Control+a')
  await page.keyboard.type('edited by keys')
  await press('Enter')
  await bubble('edited by keys').waitFor()
  await bob.send('alice', 'a question')
  await bubble('a question').waitFor()
  await page.locator('#announcer', { hasText: 'bob: a question' }).waitFor({ state: 'attached' })

  // Shift+Tab moves from the composer to the messages. Arrow keys move between messages.
  await press('Shift+Tab')
  await log.locator('.message:focus').waitFor()
  await press('End', 'Enter')
  await page.getByRole('menuitem', { name: 'Reply' }).waitFor()
  await press('Escape')
  await log.locator('.message:focus', { hasText: 'a question' }).waitFor()
  await press('Enter', 'Enter')
  await page.getByText('Reply to bob').waitFor()
  await page.waitForFunction(() => document.activeElement?.id === 'draft')
  await page.keyboard.type('an answer')
  await press('Enter')
  await bubble('an answer').locator('.quote', { hasText: 'a question' }).waitFor()

  await tick('an answer', 'Sent')
  await press('Shift+Tab', 'End', 'Enter', 'End', 'Enter')
  await page.getByRole('dialog', { name: 'Delete this message?' }).waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).press('Enter')
  await bubble('This message was deleted').waitFor()
  t.equal(await draft.isVisible(), true)
})

t.test('the page fits a phone and supports every action by touch', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const browser = await startBrowser(t)
  const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true }
  const { page, row, bubble, draft, ...alice } = await openPage(t, browser, url, phone)
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)
  await alice.login('alice')
  await bob.send('alice', `a long word: ${'x'.repeat(300)}`)
  await row('bob').tap()
  await bubble('a long word').waitFor()
  t.equal(await page.getByRole('searchbox').isVisible(), false, 'the open conversation hides the list')
  t.ok(await fits(), 'nothing overflows the viewport')
  await draft.fill('from a phone')
  await page.getByRole('button', { name: 'Send' }).tap()
  await bubble('from a phone').waitFor()
  await bubble('a long word').locator('.bubble').tap()
  await page.getByRole('menuitem', { name: 'Reply' }).tap()
  await page.getByText('Reply to bob').waitFor()
  await page.getByRole('button', { name: 'Back to conversations' }).tap()
  await page.getByRole('searchbox').waitFor()
  t.ok(await fits())
  await page.goBack()
  await bubble('from a phone').waitFor()
})

t.test('the page has no accessibility violations in light and dark mode', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const browser = await startBrowser(t)
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page, row, bubble, find, write, tick, ...alice } = await openPage(t, browser, url, {
      colorScheme,
    })
    await checkAccess(t, page, `${colorScheme}: login form`)
    await alice.login(`alice-${colorScheme}`)
    const { id } = await bob.send(`alice-${colorScheme}`, 'hello, see https://example.org')
    await row('bob').getByText('unread').waitFor()
    await checkAccess(t, page, `${colorScheme}: list of conversations`)
    await find('bob')
    await bob.send(`alice-${colorScheme}`, 'an answer', { reply_to: id })
    await write('good morning')
    await tick('good morning', 'Sent')
    await checkAccess(t, page, `${colorScheme}: conversation`)
    await bubble('good morning').hover()
    await bubble('good morning').getByRole('button', { name: 'Message actions' }).click()
    await page.getByRole('menu').waitFor()
    await checkAccess(t, page, `${colorScheme}: menu`)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Create group' }).click()
    await page.getByRole('dialog', { name: 'Create group' }).waitFor()
    await checkAccess(t, page, `${colorScheme}: dialog`)
    await page.context().close()

    const phone = { colorScheme, viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true }
    const small = await openPage(t, browser, url, phone)
    await small.login(`alice-${colorScheme}`)
    await small.row('bob').getByText('good morning').waitFor()
    await checkAccess(t, small.page, `${colorScheme}: list of conversations on a phone`)
    await bob.send(`alice-${colorScheme}`, 'once more')
    await small.row('bob').tap()
    await small.bubble('once more').locator('.bubble').tap()
    await small.page.getByRole('menuitem', { name: 'Reply' }).tap()
    await small.draft.fill('an answer of mine')
    await small.page.getByRole('button', { name: 'Send' }).tap()
    await small.tick('an answer of mine', 'Sent')
    await checkAccess(t, small.page, `${colorScheme}: conversation on a phone`)
    t.equal(await small.page.getByRole('main').count(), 1)
    t.equal(await small.page.getByRole('heading', { level: 1 }).count(), 1)
    await small.context.close()
  }
})

t.test(
  'the unread buttons have no accessibility violations in light and dark mode',
  { skip: noBrowser },
  async (t) => {
    const { app, url, login } = await startServer(t)
    const bob = await login('bob')
    await login('alice')
    for (let n = 1; n <= 60; n += 1) {
      await app.chat.writer.append('send', {
        sender_id: bob.id,
        receiver_username: 'alice',
        content: `line ${n}`,
      })
    }
    const browser = await startBrowser(t)
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, row, context } = await openChat(t, url, 'alice', { browser, colorScheme })
      await row('bob').click()
      await page.getByRole('button', { name: 'Jump to newest' }).click()
      await page.getByRole('button', { name: 'Mark as read' }).waitFor()
      await checkAccess(t, page, `${colorScheme}: unread messages above`)
      await context.close()
    }
  },
)
