import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Messenger, login } from '@messenger/client'
import { type BrowserContextOptions, chromium } from 'playwright-core'
import { buildApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'

/**
 * Takes the screenshots in docs/ from a scripted conversation at a fixed time.
 * `npm run screenshots` needs Chromium and the font Inter.
 */
const folder = await mkdtemp(join(tmpdir(), 'messenger-'))
const output = fileURLToPath(new URL('../docs/', import.meta.url))

/** The time that the screenshots show for each message. */
const times = new Map<number, string>()
let now = ''
const at = (time: string, day = '12') => {
  now = `2026-03-${day}T${time}:00.000Z`
}
at('17:20', '11')

const app = await buildApp(
  loadConfig({ DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}`, LOG_LEVEL: 'silent' }),
)
const url = await app.listen({ host: '127.0.0.1', port: 0 })

const enter = async (username: string) => {
  const person = new Messenger({ url, session: await login(url, { username }) })
  await person.connect()
  return person
}
const [maya, jonas, amara, theo, lin] = (await Promise.all(
  ['maya', 'jonas', 'amara', 'theo', 'lin.zhou'].map(enter),
)) as [Messenger, Messenger, Messenger, Messenger, Messenger]

const say = async (who: Messenger, to: string | number, content: string, reply_to?: number) => {
  const message = await who.send({
    ...(typeof to === 'string' ? { receiver_username: to } : { conversation_id: to }),
    content,
    ...(reply_to !== undefined && { reply_to }),
  })
  times.set(message.id, now)
  return message
}

const group = async (owner: Messenger, title: string, members: string[]) => {
  const { data } = await owner.api.POST('/groups', { body: { title, members } })
  return data?.id as number
}

await say(lin, 'maya', 'The proofs are at the printer. Thank you for the careful reading!')
at('18:05', '11')
const books = await group(theo, 'Book club', ['maya', 'amara', 'lin.zhou'])
await say(theo, books, 'Next is “The Summer Book”. It is short, I promise.')
at('20:31', '11')
await say(maya, 'jonas', 'Do we still have your tent?')
await say(jonas, 'maya', 'In the cellar, behind the skis. It even has all its pegs.')
await say(maya, 'jonas', '🎉')
at('08:47')
const hike = await group(maya, 'Sunday hike', ['jonas', 'amara', 'theo'])
await say(amara, hike, 'Forecast for Sunday: clear until four, then wind from the west.')
at('08:52')
await say(theo, hike, 'Then let us take the early train. 7:12 from the main station?')
await say(theo, hike, 'I can bring coffee.')
at('08:58')
const plan = await say(
  jonas,
  hike,
  'I walked the upper path last week. There is still snow above the hut, so we need proper boots.',
)
at('09:03')
await say(maya, hike, 'Boots it is. I have a spare pair of gaiters, if anybody needs them.', plan.id)
await say(amara, hike, 'Me, please!')
at('09:10')
await say(maya, hike, 'They are yours. The map with both ways up: https://example.org/upper-path')
at('09:14')
const train = await say(theo, hike, 'Tickets bought: four seats, coach 3.')
await say(jonas, hike, 'You are the best 👏', train.id)
at('09:31')
const first = await say(jonas, 'maya', 'Shall I bring the small stove on Sunday, or is that too much?')
at('09:36')
await say(maya, 'jonas', 'Bring it. Soup at the top beats any sandwich.', first.id)
await say(maya, 'jonas', 'I will cook it the evening before, so we only have to warm it up.')
at('09:38')
const typo = await say(jonas, 'maya', 'Lentils? With the lemmon?')
await jonas.edit(typo.id, 'Lentils? With the lemon?')
await say(
  maya,
  'jonas',
  'With the lemon. And bread from the place by the bridge, if you pass it on Saturday.',
)
at('09:41')
await say(amara, 'maya', 'Can I borrow the red rucksack too?')
await say(amara, 'maya', 'Mine lost a buckle on the stairs 🙈')
at('09:42')
await say(jonas, 'maya', 'I will. See you at the station, seven sharp.')

/** Marks all messages as read, except the newest of some conversations. */
const read = async (who: Messenger, isNew: (content: string) => boolean = () => false) => {
  const { data } = await who.api.GET('/conversations', { params: { query: { limit: 100 } } })
  for (const { id, last_message } of data?.conversations ?? []) {
    if (last_message && !isNew(last_message.content)) await who.mark(id, { read_up_to: last_message.id })
  }
}
await read(maya, (content) => /buckle|Summer Book/.test(content))
for (const person of [jonas, amara, theo]) await read(person)

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
})
at('09:44')

const open = async (options: BrowserContextOptions) => {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options })
  await context.clock.setFixedTime(new Date(now))
  await context.route(/\/conversations/, async (route) => {
    const response = await route.fetch()
    const json: unknown = JSON.parse(await response.text(), (_key, value) =>
      times.has(value?.id) && 'timestamp' in value ? { ...value, timestamp: times.get(value.id) } : value,
    )
    await route.fulfill({ response, json })
  })
  const page = await context.newPage()
  await page.addInitScript(`localStorage.setItem('messenger.session', '${JSON.stringify(maya.session)}')`)
  await page.goto(url)
  await page.locator('#me .state', { hasText: 'online' }).waitFor()
  return page
}
const shoot = async (options: BrowserContextOptions, name: string, file: string, act = async () => {}) => {
  const page = await open(options)
  const row = page.locator('#conversations .row', { has: page.locator('.name', { hasText: name }) })
  await row.click()
  await page.locator('.message').last().waitFor()
  await act()
  // Without a hover effect and after the animations.
  await page.mouse.move(0, 0)
  await page.waitForTimeout(600)
  await page.screenshot({ path: join(output, file), animations: 'disabled' })
  await page.context().close()
}
const desktop = { viewport: { width: 1120, height: 720 } }
const phone = {
  viewport: { width: 390, height: 760 },
  isMobile: true,
  hasTouch: true,
  deviceScaleFactor: 1.5,
}
await shoot({ ...desktop, colorScheme: 'light' }, 'Sunday hike', 'page-light.png')
await shoot({ ...desktop, colorScheme: 'dark' }, 'jonas', 'page-dark.png', async () => {
  const { data } = await jonas.api.GET('/conversations', { params: { query: { limit: 100 } } })
  const id = data?.conversations.find(({ peer }) => peer === 'maya')?.id as number
  jonas.typing(id)
})
await shoot({ ...phone, colorScheme: 'light' }, 'jonas', 'page-phone.png')

await browser.close()
await Promise.all([maya, jonas, amara, theo, lin].map((person) => person.close()))
await app.close()
await rm(folder, { recursive: true })
