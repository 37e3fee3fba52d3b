/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { get, HttpConnection, postHead } from './http.ts'
import { CONTENT, nameOf, uuidv7 } from './identity.ts'
import { contactOf, type Job, random, tokensOf } from './job.ts'
import { createWindow, type Load, type Window } from './window.ts'

export const sendHttp = async (job: Job): Promise<Load> => {
  const next = createSends(await tokensOf(job))
  const window = createWindow(job)
  await keepAsking(job, job.connections, window, next)
  return window.result()
}

/** Reads the newest 50 messages of a conversation, which are sent before the window starts. */
export const history = async (job: Job): Promise<Load> => {
  const tokens = await tokensOf(job)
  if (!job.isBare) await fill(job, tokens, 50)
  const requests = tokens.map((token, index) =>
    get(`/history/${nameOf((index + 1) % tokens.length)}?limit=50`, token),
  )
  const window = createWindow(job)
  await keepAsking(job, job.connections, window, (index) => requests[index] as string)
  return window.result()
}

/**
 * Reads one page at a time for users drawn at random. Each user reads once before the window starts, because a running
 * server has its users in its caches.
 */
const createPages =
  (page: (user: number, users: number) => string) =>
  async (job: Job): Promise<Load> => {
    const tokens = await tokensOf(job)
    await Promise.all(
      Array.from({ length: 16 }, async (_, first) => {
        const connection = await HttpConnection.open(job.port)
        for (let user = first; user < job.users; user += 16) {
          await connection.ask(get(page(user, job.users), tokens[user] as string))
        }
        connection.close()
      }),
    )
    const window = createWindow(job)
    await keepAsking(job, 1, window, () => {
      const user = random(job.users)
      return get(page(user, job.users), tokens[user] as string)
    })
    return window.result()
  }

export const historyPages = createPages(
  (user, users) => `/history/${nameOf(contactOf(user, users))}?limit=20`,
)
export const conversationPages = createPages(() => '/conversations?limit=20')

/** Two readers that pause 2 ms between pages, and one sender per connection. Only the readers are counted. */
export const createHistoryBeside =
  (hasSends: boolean) =>
  async (job: Job): Promise<Load> => {
    const tokens = await tokensOf(job)
    await fill(job, tokens, 50)
    const window = createWindow(job)
    if (hasSends) await keepAsking(job, job.connections, createWindow(job), createSends(tokens))
    const request = get(`/history/${nameOf(1)}?limit=50`, tokens[0] as string)
    await keepAsking(job, 2, window, () => request, 2)
    return window.result()
  }

/** Keeps one request in flight on each connection until the window ends. Waits `pause` ms between requests. */
const keepAsking = async (
  { port, secondPort = port }: Job,
  connections: number,
  window: Window,
  request: (connection: number) => string,
  pause = 0,
) => {
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const connection = await HttpConnection.open(index % 2 ? secondPort : port)
      const ask = () => {
        const began = window.begin()
        connection.request(request(index), () => {
          window.done(began)
          if (window.isOver) return
          if (pause > 0) setTimeout(ask, pause)
          else ask()
        })
      }
      ask()
    }),
  )
}

/** @returns a function that builds a `POST /send` of the user with an index, to the user with the next index */
const createSends = (tokens: readonly string[]) => {
  const bodyOf = (index: number, client_id: string) =>
    JSON.stringify({ receiver_username: nameOf((index + 1) % tokens.length), content: CONTENT, client_id })
  const requests = tokens.map((token, index) => {
    const [before, after] = bodyOf(index, '?').split('?') as [string, string]
    return [postHead('/send', token, before.length + after.length + 36) + before, after] as const
  })
  return (index: number) => {
    const [before, after] = requests[index] as readonly [string, string]
    return before + uuidv7() + after
  }
}

/** Sends `count` messages from each user to the next. */
const fill = async ({ port }: Job, tokens: readonly string[], count: number) => {
  const next = createSends(tokens)
  await Promise.all(
    tokens.map(async (_, index) => {
      const connection = await HttpConnection.open(port)
      for (let sent = 0; sent < count; sent += 1) await connection.ask(next(index))
      connection.close()
    }),
  )
}
