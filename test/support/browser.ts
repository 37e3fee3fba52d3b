import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { temporaryFolder } from './server.ts'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/**
 * Why the browser tests are skipped, or false. With CI set they are never skipped, so that a missing browser fails the
 * build.
 */
export const noBrowser =
  !existsSync(executablePath) &&
  !process.env.CI &&
  `${executablePath} does not exist. Install Chromium with apt-get install chromium, or set CHROMIUM to its path.`

/** Starts a Chromium without background requests. It closes when the test ends. */
export const startBrowser = async (t: Test): Promise<Browser> => {
  const folder = await temporaryFolder(t)
  const browser = await chromium.launch({
    executablePath,
    env: { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: folder },
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  t.teardown(() => browser.close())
  return browser
}

/** Milliseconds that a page operation may take. It is below the timeout of a test, so that the operation reports the failure. */
const TIMEOUT = 20_000

/** Opens the page in its own browser profile. Each error on the page fails the test. */
export const openPage = async (
  t: Test,
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
) => {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(TIMEOUT)
  failOnErrors(t, page)
  await page.goto(url)
  return pageOf(page)
}

/** Opens the page and logs in, by default in a new browser. */
export const openChat = async (
  t: Test,
  url: string,
  name: string,
  { browser, ...options }: BrowserContextOptions & { browser?: Browser } = {},
) => {
  const chat = await openPage(t, browser ?? (await startBrowser(t)), url, options)
  await chat.login(name)
  return chat
}

const failOnErrors = (t: Test, page: Page) => {
  page.on('pageerror', (error) => t.fail(`the page threw: ${error.stack}`))
  page.on('console', (message) => {
    // The browser also logs failed requests, which tests cause on purpose.
    const isNetwork = message.text().startsWith('Failed to load') || message.text().startsWith('WebSocket')
    if (message.type() === 'error' && !isNetwork) t.fail(`the page logged an error: ${message.text()}`)
  })
}

/** The elements of the page and the actions on it. */
export const pageOf = (page: Page) => ({
  page,
  context: page.context(),
  draft: page.getByRole('textbox', { name: 'Message' }),
  log: page.getByRole('log'),
  banner: page.getByRole('status'),
  bubble: (text: string) => page.locator('.message', { hasText: text }),
  row: (name: string) => page.locator('#conversations .row', { hasText: name }),

  async login(name: string, password?: string) {
    await page.getByLabel('Name').fill(name)
    await page.getByRole('button', { name: 'Continue' }).click()
    if (password !== undefined) {
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Continue' }).click()
    }
    await page.locator('#me .state', { hasText: 'online' }).waitFor()
  },

  /** Searches for a user and opens the conversation. */
  async find(name: string) {
    await page.getByRole('searchbox').fill(name)
    await page.locator('.lists').getByRole('link', { name }).first().click()
    await page.locator('#about', { hasText: name }).waitFor()
  },

  async write(text: string) {
    await page.getByRole('textbox', { name: 'Message' }).fill(text)
    await page.keyboard.press('Enter')
  },

  /** Chooses an item from the menu of a message. */
  async choose(text: string, choice: string) {
    const message = page.locator('.message', { hasText: text })
    await message.hover()
    await message.getByRole('button', { name: 'Message actions' }).click()
    await page.getByRole('menuitem', { name: choice }).click()
  },

  /** @returns the contents of the rendered messages, from top to bottom */
  texts: () => page.locator('.message .text').allTextContents(),

  /** Waits until a message shows a delivery state. */
  tick: (text: string, word: 'Waiting to be sent' | 'Sent' | 'Delivered' | 'Read') =>
    page.locator('.message', { hasText: text }).getByRole('img', { name: word, exact: true }).waitFor(),
})
