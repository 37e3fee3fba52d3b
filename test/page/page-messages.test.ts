import t from 'tap'
import { noBrowser, openChat } from '../support/browser.ts'
import { startServer } from '../support/server.ts'

// A browser is slow on a busy machine.
t.setTimeout(300_000)

t.test('the page shows markup in a title or a message as text', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const alice = await openChat(t, url, 'alice')
  const markup = '<img src=x onerror="document.title=1"><script>document.title=2</script> & <b>bold</b>'
  const group = await bob.createGroup('<i>title</i>', ['alice'])
  await bob.send(group.id, markup)
  await alice.row('<i>title</i>').click()
  await alice.bubble('<img src=x').waitFor()
  t.strictSame(await alice.texts(), [markup])
  t.equal(await alice.log.locator('img, script, b, i:not(.dots i)').count(), 0)

  await bob.send(group.id, 'see https://example.org/a?b=1. and javascript:alert(1)')
  const link = alice.log.getByRole('link')
  await link.waitFor()
  t.equal(await link.count(), 1)
  t.equal(await link.getAttribute('href'), 'https://example.org/a?b=1')
  t.match(await link.getAttribute('rel'), 'noopener')
})

t.test(
  'replies show the original message, and scrolling up loads older messages',
  { skip: noBrowser },
  async (t) => {
    const { url, login } = await startServer(t)
    const [bob, reader] = [await login('bob'), await login('alice')]
    const alice = await openChat(t, url, 'alice')
    const first = await bob.send('alice', 'the very first')
    for (let number = 1; number <= 150; number += 1) await bob.send('alice', `message ${number}`)
    const last = await bob.send('alice', 'an answer', { reply_to: first.id })
    await reader.call('PUT', `/conversations/${last.conversation_id}/receipt`, { read_up_to: last.id })
    await alice.row('bob').getByText('unread').waitFor({ state: 'detached' })

    await alice.row('bob').click()
    await alice.bubble('an answer').getByText('the very first').waitFor()
    t.equal(
      await alice.log.getByText('message 20', { exact: true }).count(),
      0,
      'only the newest page is loaded',
    )
    // The message at the upper edge keeps its position while older messages load above it.
    const { promise: canContinue, resolve: continueRequest } = Promise.withResolvers<void>()
    await alice.page.route(/before=/, async (route) => {
      await canContinue
      await route.continue()
    })
    const requested = alice.page.waitForRequest(/before=/)
    await alice.log.evaluate((log) => {
      log.scrollTop = 400
    })
    await requested
    const seen = await alice.log.evaluate((log) => {
      const top = log.getBoundingClientRect().top
      const element = [...log.querySelectorAll<HTMLElement>('.message')].find(
        (message) => message.getBoundingClientRect().top >= top,
      ) as HTMLElement
      return { id: element.dataset.id, y: element.getBoundingClientRect().top, height: log.scrollHeight }
    })
    continueRequest()
    await alice.page.waitForFunction(
      ([id, height]) => {
        const log = document.getElementById('log') as HTMLElement
        return log.scrollHeight > height && log.querySelector(`[data-id="${id}"]`)
      },
      [seen.id as string, seen.height] as const,
    )
    const after = await alice.page.locator(`[data-id="${seen.id}"]`).boundingBox()
    t.ok(Math.abs((after?.y ?? 0) - seen.y) < 2, 'the visible message keeps its position')

    await alice.page.getByRole('button', { name: 'Jump to newest' }).click()
    await alice.page.locator('.quote').click()
    await alice.log.getByText('the very first', { exact: true }).first().waitFor()
    await alice.page.getByText('This is the beginning').waitFor()
    t.equal(
      await alice.page.evaluate(() => document.activeElement?.textContent?.includes('the very first')),
      true,
    )
    await alice.page.getByRole('button', { name: 'Jump to newest' }).click()
    await alice.bubble('an answer').waitFor()
  },
)
