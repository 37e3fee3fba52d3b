import t, { type Test } from 'tap'
import { noBrowser, openChat } from '../support/browser.ts'
import { startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

/** Opens a page as alice after bob has sent her `count` messages: `line 1.`, `line 2.` and so on. */
const startThread = async (t: Test, count: number, { isRead = false } = {}) => {
  const { app, url, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const sends = Array.from({ length: count }, (_, index) => {
    const content = `line ${index + 1}. ${'and more words '.repeat((index * 7) % 23)}`
    return app.chat.writer.append('send', { sender_id: bob.id, receiver_username: 'alice', content })
  })
  const ids = (await Promise.all(sends)).map(({ message }) => message.id)
  const conversation = (await bob.conversations())[0]?.id as number
  if (isRead) {
    await alice.call('PUT', `/conversations/${conversation}/receipt`, { read_up_to: ids.at(-1) })
  }
  const page = await openChat(t, url, 'alice')
  const lastMark = async () => {
    const { read_up_to } = await alice.conversation(conversation)
    return ids.indexOf(read_up_to) + 1
  }
  return { ...page, ids, bob, login, lastMark }
}
type Thread = Awaited<ReturnType<typeof startThread>>

/** @returns the numbers of the lines whose end is in the viewport */
const displayed = ({ log }: Thread) =>
  log.evaluate((log) => {
    const { top, bottom } = log.getBoundingClientRect()
    return [...log.querySelectorAll('.message')].flatMap((message) => {
      const end = message.getBoundingClientRect().bottom
      const [, number] = /line (\d+)\./.exec(message.textContent) ?? []
      return end > top && end <= bottom + 8 ? [Number(number)] : []
    })
  })

/** Scrolls by a number of viewports and waits for three frames. */
const scrollBy = ({ log }: Thread, screens: number) =>
  log.evaluate(async (log, screens) => {
    log.scrollTop += log.clientHeight * screens
    for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame)
  }, screens)

const until = async (check: () => Promise<boolean>) => {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 20))
}

t.test(
  'a thread with 3,000 unread messages marks only the displayed ones as read',
  { skip: noBrowser },
  async (t) => {
    const thread = await startThread(t, 3000)
    const { row, bubble, page, lastMark, log } = thread
    await row('bob').getByText('999+').waitFor()
    await row('bob').click()
    await bubble('line 1.').waitFor()
    await log.getByText('New messages').waitFor()
    const first = await displayed(thread)
    t.equal(first[0], 1, 'the thread starts at the first unread message')
    await until(async () => (await lastMark()) > 0)
    t.equal(await lastMark(), first.at(-1), 'the read mark is at the last displayed message')
    t.ok((first.at(-1) as number) < 40)

    for (let step = 0; step < 12; step += 1) await scrollBy(thread, 0.7)
    const later = (await displayed(thread)).at(-1) as number
    t.ok(later > 40, `the last displayed message is ${later}`)
    await until(async () => (await lastMark()) === later)

    await page.getByRole('button', { name: 'Jump to newest: 999+ unread' }).click()
    await bubble('line 3000.').waitFor()
    await page.getByText('unread above').waitFor()
    t.equal(await lastMark(), later, 'the skipped messages stay unread')
    await page.getByText('unread above').click()
    await log.locator('.unread-line + .message', { hasText: `line ${later + 1}.` }).waitFor()
    await until(async () => (await lastMark()) > later)
    const shown = (await displayed(thread)).at(-1) as number
    await until(async () => (await lastMark()) === shown)
    await page.getByRole('button', { name: 'Jump to newest' }).click()
    await page.getByRole('button', { name: 'Mark as read' }).click()
    await until(async () => (await lastMark()) === 3000)
    await row('bob').getByText('unread').waitFor({ state: 'detached' })
    t.equal(await page.getByText('unread above').isVisible(), false)
  },
)

t.test(
  'messages that arrive outside the viewport stay unread until the user scrolls to them',
  { skip: noBrowser },
  async (t) => {
    const thread = await startThread(t, 3)
    const { row, bubble, bob, lastMark, page, ids } = thread
    await row('bob').click()
    await bubble('line 3.').waitFor()
    await until(async () => (await lastMark()) === 3)
    const long = 'words '.repeat(600)
    const sent = await Promise.all([4, 5, 6].map((number) => bob.send('alice', `line ${number}. ${long}`)))
    ids.push(...sent.map(({ id }) => id).toSorted((a, b) => a - b))
    await page.getByRole('button', { name: /Jump to newest: \d unread/ }).waitFor()
    t.ok((await lastMark()) < 6)
    for (let step = 0; step < 20 && (await lastMark()) < 6; step += 1) await scrollBy(thread, 0.5)
    await until(async () => (await lastMark()) === 6)
  },
)

t.test(
  'typing changes no rows of a long thread, and the document has fewer than 100',
  { skip: noBrowser },
  async (t) => {
    const thread = await startThread(t, 700, { isRead: true })
    const { row, bubble, page, draft } = thread
    await row('bob').click()
    await bubble('line 700.').waitFor()
    for (let step = 0; step < 8; step += 1) await scrollBy(thread, -2)
    await page.evaluate(() => {
      const changes: string[] = []
      const observer = new MutationObserver((records) => {
        for (const { type, target } of records) changes.push(`${type} ${target.nodeName}`)
      })
      for (const id of ['messages', 'conversations'])
        observer.observe(document.getElementById(id) as HTMLElement, {
          childList: true,
          subtree: true,
          attributes: true,
          characterData: true,
        })
      Object.assign(globalThis, { changes })
    })
    await draft.pressSequentially('a few words')
    t.strictSame(await page.evaluate('changes'), [])
    t.ok((await page.locator('.message').count()) < 100, 'the document has only the rows near the viewport')
  },
)

t.test('scrolling up and down shows every message in order', { skip: noBrowser }, async (t) => {
  const count = 400
  const thread = await startThread(t, count, { isRead: true })
  const { row, bubble, page, log } = thread
  await row('bob').click()
  await bubble(`line ${count}.`).waitFor()
  const walk = async (screens: number, last: number) => {
    const found: number[] = []
    while (!found.includes(last)) {
      const now = await displayed(thread)
      t.strictSame(
        now,
        now.map((_, index) => (now[0] as number) + index),
        'no message is missing',
      )
      found.push(...now)
      await scrollBy(thread, screens)
    }
    return new Set(found)
  }
  t.equal((await walk(-0.6, 1)).size, count, 'on the way up')
  await page.getByText('This is the beginning').waitFor()
  t.equal((await walk(0.6, count)).size, count, 'on the way down')

  // Keys reach messages that are not in the document.
  await page.keyboard.press('Shift+Tab')
  await log.locator('.message:focus').waitFor()
  await page.keyboard.press('Home')
  await log.locator('.message:focus', { hasText: 'line 1.' }).waitFor()
  await page.keyboard.press('End')
  await log.locator('.message:focus', { hasText: `line ${count}.` }).waitFor()
  await page.keyboard.press('ArrowUp')
  await log.locator('.message:focus', { hasText: `line ${count - 1}.` }).waitFor()
})

t.test(
  'a thread keeps its scroll position when messages are edited and added out of view',
  { skip: noBrowser },
  async (t) => {
    const thread = await startThread(t, 200, { isRead: true })
    const { row, bubble, bob, ids, page, write, tick } = thread
    await row('bob').click()
    await bubble('line 200.').waitFor()
    for (let step = 0; step < 4; step += 1) await scrollBy(thread, -0.5)
    const [top] = await displayed(thread)
    const place = await bubble(`line ${top}.`).boundingBox()
    await bob.send('alice', 'below', { reply_to: ids[0] })
    await page.getByRole('button', { name: 'Jump to newest: 1 unread' }).waitFor()
    const content = `edited: ${'it is longer now '.repeat(40)}`
    await bob.call('PATCH', `/messages/${ids[(top as number) - 2]}`, { content })
    await bubble('edited: it is longer').waitFor({ state: 'attached' })
    const after = await bubble(`line ${top}.`).boundingBox()
    t.ok(Math.abs((after?.y ?? 0) - (place?.y ?? 0)) < 2, 'the visible message keeps its position')
    await write('my own')
    await tick('my own', 'Sent')
    await bubble('below').getByText('line 1.').waitFor()
    t.strictSame(
      (await thread.texts()).slice(-2).map((text) => text.slice(0, 8)),
      ['below', 'my own'],
      'a send scrolls to the end',
    )
  },
)
