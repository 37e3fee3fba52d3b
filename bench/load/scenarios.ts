/* c8 ignore start -- it measures the product and is no part of it; a smoke run among the tests takes its shortest way */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { latency } from '../statistics.ts'
import { get, HttpConnection, postHead } from './http.ts'
import { CONTENT, logIn, nameOf, uuidv7 } from './identity.ts'
import { LoadSocket } from './socket.ts'
import { createWindow, type Load, type Span, type Window } from './window.ts'

/** What every scenario is given: where the server is, what it is, and how long and how much. */
export type Job = Span & {
  port: number
  pid: number
  /** A bare server knows no people: any token will do. */
  isBare: boolean
  people: number
  connections: number
  inFlight: number
}

/** The friends of a person of the made databases: the next ten of a ring, so that each has a circle of twenty. */
export const CIRCLE = 10

const random = (below: number) => Math.floor(Math.random() * below)
const friendOf = (person: number, people: number) => (person + 1 + random(CIRCLE)) % people

const tokensOf = async ({ port, isBare, people }: Job): Promise<string[]> =>
  isBare ? Array.from({ length: people }, () => 'a'.repeat(250)) : logIn(port, people)

/** Keeps a request in flight on each connection, `pause` ms after the last one, until the time is over. */
const keepAsking = async (
  { port }: Job,
  connections: number,
  window: Window,
  request: (connection: number) => string,
  pause = 0,
) => {
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const connection = await HttpConnection.open(port)
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

/** Each connection is a person who writes to the next. */
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

const sendHttp = async (job: Job): Promise<Load> => {
  const next = createSends(await tokensOf(job))
  const window = createWindow(job)
  await keepAsking(job, job.connections, window, next)
  return window.result()
}

/** A page of 50 messages; what the server gives is made first. */
const history = async (job: Job): Promise<Load> => {
  const tokens = await tokensOf(job)
  if (!job.isBare) await fill(job, tokens, 50)
  const requests = tokens.map((token, index) =>
    get(`/history/${nameOf((index + 1) % tokens.length)}?limit=50`, token),
  )
  const window = createWindow(job)
  await keepAsking(job, job.connections, window, (index) => requests[index] as string)
  return window.result()
}

/** Everybody writes to the next so often that a conversation has at least `count` messages. */
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

/** One page after the other, of people who are drawn from all; each was here before, as a server that runs knows them. */
const createPages =
  (page: (person: number, people: number) => string) =>
  async (job: Job): Promise<Load> => {
    const tokens = await tokensOf(job)
    await Promise.all(
      Array.from({ length: 16 }, async (_, first) => {
        const connection = await HttpConnection.open(job.port)
        for (let person = first; person < job.people; person += 16) {
          await connection.ask(get(page(person, job.people), tokens[person] as string))
        }
        connection.close()
      }),
    )
    const window = createWindow(job)
    await keepAsking(job, 1, window, () => {
      const person = random(job.people)
      return get(page(person, job.people), tokens[person] as string)
    })
    return window.result()
  }

const historyPages = createPages((person, people) => `/history/${nameOf(friendOf(person, people))}?limit=20`)
const conversationPages = createPages(() => '/conversations?limit=20')

/** Two readers, who take a breath between pages, beside as many senders as there are connections; these don't count. */
const createHistoryBeside =
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

const frame = (receiver: number, client_id: string) =>
  JSON.stringify({ type: 'send', receiver_username: nameOf(receiver), content: CONTENT, client_id })

/** The letter that tells what a frame of the server is: `{"type":"ack"…`, `{"type":"message"…`. */
const TYPE_AT = '{"type":"'.length
const [ACK, MESSAGE, HELLO, CONVERSATION] = ['a', 'm', 'h', 'c'].map((letter) => letter.charCodeAt(0))
/** `conversation` and `caught_up` begin alike. */
const CAUGHT = 'a'.charCodeAt(0)

type Sender = { socket: LoadSocket; began: number[]; onAck: () => void; onMessage: () => void }

const openSender = async ({ port, isBare }: Job, token: string): Promise<Sender> => {
  const sender: Sender = { socket: undefined as never, began: [], onAck() {}, onMessage() {} }
  sender.socket = await LoadSocket.open(port, token, (data, start, end) => {
    const type = data[start + TYPE_AT]
    if (isBare) {
      sender.onAck()
      sender.onMessage()
    } else if (type === ACK) sender.onAck()
    else if (type === MESSAGE) sender.onMessage()
    else if (type !== HELLO && type !== CONVERSATION)
      throw new Error(`unexpected: ${data.toString('utf8', start, end)}`)
  })
  return sender
}

/** Counts each message when it is acknowledged, and sees that it came to its receiver as well. */
const createCounter = (job: Job) => {
  const window = createWindow(job)
  let sent = 0
  let delivered = 0
  let allDelivered = () => {}
  return {
    window,
    send(sender: Sender, receivers: readonly number[]) {
      for (const _ of receivers) sender.began.push(window.begin())
      sent += receivers.length
      sender.socket.send(receivers.map((receiver) => frame(receiver, uuidv7())))
    },
    delivered() {
      delivered += 1
      if (delivered === sent) allDelivered()
    },
    async result(): Promise<Load> {
      const result = await window.result()
      if (delivered < sent) {
        await new Promise<void>((resolve) => {
          allDelivered = resolve
        })
      }
      return result
    },
  }
}

/** 64 clients, each with 8 in flight, in pairs who write to each other. */
const sendSocket = async (job: Job): Promise<Load> => {
  const tokens = await tokensOf(job)
  const senders = await Promise.all(tokens.map((token) => openSender(job, token)))
  const counter = createCounter(job)
  for (const [index, sender] of senders.entries()) {
    const receiver = index ^ 1
    let wanted = 0
    const sendWanted = () => {
      const receivers = Array.from<number>({ length: wanted }).fill(receiver)
      wanted = 0
      if (!counter.window.isOver) counter.send(sender, receivers)
    }
    sender.onMessage = counter.delivered
    sender.onAck = () => {
      counter.window.done(sender.began.shift() as number)
      wanted += 1
      // All that one chunk has acknowledged is sent again in one write.
      if (wanted === 1) process.nextTick(sendWanted)
    }
    wanted = job.inFlight
    sendWanted()
  }
  return counter.result()
}

/**
 * Everybody of a big database is here. At any time 64 of them have 8 messages in flight, to one of their circle; when
 * these are acknowledged another person is drawn.
 */
const sendSocketBig = async (job: Job): Promise<Load> => {
  const tokens = await tokensOf(job)
  const senders: Sender[] = []
  await Promise.all(
    Array.from({ length: 16 }, async (_, first) => {
      for (let person = first; person < job.people; person += 16) {
        senders[person] = await openSender(job, tokens[person] as string)
      }
    }),
  )
  const counter = createCounter(job)
  const draw = () => {
    if (counter.window.isOver) return
    let person = random(job.people)
    while ((senders[person] as Sender).began.length > 0) person = random(job.people)
    const receiver = friendOf(person, job.people)
    counter.send(senders[person] as Sender, Array.from<number>({ length: job.inFlight }).fill(receiver))
  }
  for (const sender of senders) {
    sender.onMessage = counter.delivered
    sender.onAck = () => {
      counter.window.done(sender.began.shift() as number)
      if (sender.began.length === 0) process.nextTick(draw)
    }
  }
  for (let slot = 0; slot < job.connections; slot += 1) draw()
  return counter.result()
}

/** One person writes to another who has many devices; a message is done when all of them have it. */
const fanOut = async (job: Job): Promise<Load> => {
  const [senderToken, receiverToken] = (await tokensOf({ ...job, people: 2 })) as [string, string]
  const sender = await openSender(job, senderToken)
  let delivered = 0
  const began: number[] = []
  const send = () => {
    began.push(window.begin())
    sender.socket.send([frame(1, uuidv7())])
  }
  const onMessage = () => {
    delivered += 1
    if (delivered % job.connections > 0) return
    window.done(began.shift() as number, job.connections)
    if (!window.isOver) send()
  }
  for (let device = 0; device < job.connections; device += 1) {
    const receiver = await openSender(job, receiverToken)
    receiver.onMessage = onMessage
  }
  const window = createWindow(job)
  for (let slot = 0; slot < job.inFlight; slot += 1) send()
  return window.result()
}

/** Bytes that an open socket takes, when many are open and nothing happens. */
const idle = async (job: Job): Promise<Load> => {
  const tokens = await tokensOf(job)
  const openMany = (from: number, to: number) =>
    Promise.all(
      Array.from({ length: 16 }, async (_, first) => {
        const opened: LoadSocket[] = []
        for (let person = from + first; person < to; person += 16) {
          opened.push(await LoadSocket.open(job.port, tokens[person] as string, () => {}))
        }
        return opened
      }),
    )
  // Code and pools that the first sockets bring with them are not counted.
  const tenth = Math.ceil(job.people / 10)
  await openMany(0, tenth)
  await pass(job.warmUp)
  const before = residentBytes(job.pid)
  await openMany(tenth, job.people)
  await pass(job.measure)
  const bytes = (residentBytes(job.pid) - before) / (job.people - tenth)
  return { rate: bytes, ...latency([0]) }
}

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Somebody comes back again and again to all that was missed, while others write to each other, one message at a time each.
 * What counts is how long these wait; and how much memory the server takes for it.
 */
const createResume =
  (isResuming: boolean) =>
  async (job: Job): Promise<Load> => {
    const tokens = await tokensOf(job)
    const { sender, cursor } = await missMessages(job, tokens)
    const before = residentBytes(job.pid)
    let highest = before
    const window = createWindow(job)
    const watch = setInterval(() => {
      highest = Math.max(highest, residentBytes(job.pid))
    }, 10)
    for (let person = 2; person < job.people; person += 1) {
      const other = await openSender(job, tokens[person] as string)
      const write = () => {
        other.began.push(window.begin())
        other.socket.send([frame(person ^ 1, uuidv7())])
      }
      other.onAck = () => {
        window.done(other.began.shift() as number)
        if (!window.isOver) setTimeout(write, 1)
      }
      write()
    }
    if (isResuming) while (!window.isOver) await resume(job, tokens[0] as string, cursor)
    const result = await window.result()
    clearInterval(watch)
    sender.socket.close()
    return { ...result, grown: highest - before }
  }

/** The first of the people is away while the second writes `connections` messages. @returns where the first one left */
const missMessages = async (job: Job, [token, writer]: readonly string[]) => {
  const { promise: cursor, resolve } = Promise.withResolvers<string>()
  const first = await LoadSocket.open(job.port, token as string, (data, start, end) => {
    resolve((JSON.parse(data.toString('utf8', start, end)) as { cursor: string }).cursor)
  })
  await cursor
  first.close()
  const sender = await openSender(job, writer as string)
  for (let sent = 0; sent < job.connections; sent += 500) {
    await new Promise<void>((resolve) => {
      let missing = Math.min(500, job.connections - sent)
      sender.onAck = () => {
        missing -= 1
        if (missing === 0) resolve()
      }
      sender.socket.send(Array.from({ length: missing }, () => frame(0, uuidv7())))
    })
  }
  return { sender, cursor: await cursor }
}

const resume = async (job: Job, token: string, cursor: string) => {
  const { promise: caughtUp, resolve } = Promise.withResolvers<void>()
  const onFrame = (data: Buffer, start: number) => {
    if (data[start + TYPE_AT] === CONVERSATION && data[start + TYPE_AT + 1] === CAUGHT) resolve()
  }
  const socket = await LoadSocket.open(job.port, token, onFrame, `/ws?cursor=${cursor}`)
  await caughtUp
  socket.close()
}

const residentBytes = (pid: number): number => {
  const path = `/proc/${pid}/status`
  const kilobytes = existsSync(path)
    ? /VmRSS:\s+(\d+)/.exec(readFileSync(path, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return Number(kilobytes) * 1024
}

export const scenarios = {
  sendHttp,
  history,
  historyPages,
  conversationPages,
  historyAlone: createHistoryBeside(false),
  historyBesideSends: createHistoryBeside(true),
  sendSocket,
  sendSocketBig,
  fanOut,
  idle,
  resume: createResume(true),
  noResume: createResume(false),
}
export type Scenario = keyof typeof scenarios
