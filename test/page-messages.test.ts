import t from 'tap'
import { noBrowser, openPage, startBrowser } from './support/browser.ts'
import { startServer } from './support/server.ts'

// A browser on a busy machine takes its time.
t.setTimeout(300_000)

t.test('markup in a name or a message stays text', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const browser = await startBrowser(t)
  const alice = await openPage(t, browser, url)
  await alice.login('alice')
  const markup = '<img src=x onerror="document.title=1"><script>document.title=2</script> & <b>bold</b>'
  const group = (
    await bob.call<{ id: number }>('POST', '/groups', { title: '<i>title</i>', members: ['alice'] })
  ).body
  await bob.call('POST', '/send', { conversation_id: group.id, content: markup })
  await alice.row('<i>title</i>').click()
  await alice.bubble('<img src=x').waitFor()
  t.strictSame(await alice.texts(), [markup])
  t.equal(await alice.log.locator('img, script, b, i:not(.dots i)').count(), 0)

  await bob.call('POST', '/send', {
    conversation_id: group.id,
    content: 'see https://example.org/a?b=1. and javascript:alert(1)',
  })
  const link = alice.log.getByRole('link')
  await link.waitFor()
  t.equal(await link.count(), 1)
  t.equal(await link.getAttribute('href'), 'https://example.org/a?b=1')
  t.match(await link.getAttribute('rel'), 'noopener')
})

t.test('answers show what they answer, older messages come on the way up', { skip: noBrowser }, async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const browser = await startBrowser(t)
  const alice = await openPage(t, browser, url)
  await alice.login('alice')
  const first = await bob.send('alice', 'the very first')
  for (let number = 1; number <= 150; number += 1) await bob.send('alice', `message ${number}`)
  const last = await bob.send('alice', 'an answer', { reply_to: first.id })
  const socket = await bob.connect()

  await alice.row('bob').click()
  await alice.page.locator('.unread-line').waitFor()
  await alice.bubble('message 20').first().waitFor()
  await alice.page.getByRole('button', { name: 'To the newest' }).click()
  await alice.bubble('an answer').getByText('the very first').waitFor()
  await socket.wait('receipt', ({ username, read_up_to }) => username === 'alice' && read_up_to >= last.id)
  await alice.page.reload()

  await alice.bubble('an answer').waitFor()
  const isLoaded = (text: string) => alice.log.getByText(text, { exact: true }).count()
  t.equal(await isLoaded('message 20'), 0, 'the newest page only')
  const before = await alice.bubble('message 140').boundingBox()
  await alice.bubble('message 140').evaluate((element) => {
    const log = element.closest('.log') as HTMLElement
    log.scrollTop = (element as HTMLElement).offsetTop - 100
  })
  const place = await alice.bubble('message 140').boundingBox()
  t.not(place?.y, before?.y, 'one has scrolled')
  await alice.log.evaluate((log) => {
    log.scrollTop = 400
  })
  const seen = await alice.log.evaluate((log) => {
    const top = log.getBoundingClientRect().top
    const element = [...log.querySelectorAll<HTMLElement>('.message')].find(
      (message) => message.getBoundingClientRect().top >= top,
    ) as HTMLElement
    return { id: element.dataset.id, y: element.getBoundingClientRect().top }
  })
  await alice.log.getByText('message 60', { exact: true }).waitFor({ state: 'attached' })
  const after = await alice.page.locator(`[data-id="${seen.id}"]`).boundingBox()
  t.ok(Math.abs((after?.y ?? 0) - seen.y) < 2, 'what one reads keeps its place')

  await alice.page.locator('.quote').click()
  await alice.log.getByText('the very first', { exact: true }).first().waitFor()
  await alice.page.getByText('This is the beginning').waitFor()
  t.equal((await alice.texts()).length, 152, 'all of them, without a hole')
})
