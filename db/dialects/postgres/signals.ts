import type pg from 'pg'
import { connect } from './connection.ts'

/** The channel on which nodes send texts to one another. */
const CHANNEL = 'messenger_signals'

/** Milliseconds for which texts are gathered into notifications. */
const GATHER_MS = 50

/** PostgreSQL refuses a payload of 8,000 bytes. */
const MOST_BYTES = 7999

/** The largest number of texts that wait for the next notifications. Further texts are lost. */
const MOST_TEXTS = 10_000

/** Milliseconds until a lost connection is opened again. */
const RETRY_MS = 1000

/**
 * Sends texts without line breaks to the other nodes, over a separate connection whose commits do not wait for the disk.
 * @param node the name of this node
 * @param receive is called with each text of another node
 */
export const createSignals = (url: string, node: string, receive: (text: string) => void) => {
  let client: pg.Client | undefined
  let waiting: string[] = []
  let isEnded = false
  let timer: NodeJS.Timeout | undefined

  const open = async () => {
    try {
      const opened = await connect(url)
      opened.once('end', retry)
      opened.on('notification', ({ payload = '' }) => {
        const [sender, ...texts] = payload.split('\n')
        if (sender !== node) for (const text of texts) receive(text)
      })
      await opened.query('set synchronous_commit = off')
      await opened.query(`listen ${CHANNEL}`)
      client = opened
      /* c8 ignore next 3 -- whether the node ends meanwhile is a race */
      if (isEnded) await opened.end()
    } catch {
      retry()
    }
  }

  const retry = () => {
    client = undefined
    clearTimeout(timer)
    if (!isEnded) timer = setTimeout(() => void (opening = open()), RETRY_MS).unref()
  }

  const flush = async () => {
    while (waiting.length > 0) {
      const payloads = packTexts(node, waiting)
      waiting = []
      // Without a connection the texts are lost.
      await client
        ?.query('select pg_notify($1, payload) from unnest($2::text[]) as payload', [CHANNEL, payloads])
        .catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS).unref())
    }
    isFlushing = false
  }
  let isFlushing = false
  let opening = open()

  return {
    send(text: string) {
      if (waiting.length >= MOST_TEXTS) return
      waiting.push(text)
      if (isFlushing) return
      isFlushing = true
      setTimeout(() => void flush(), GATHER_MS).unref()
    },
    async end() {
      isEnded = true
      clearTimeout(timer)
      await opening
      await client?.end().catch(() => {})
    },
  }
}

/** @returns payloads, each with the name of the node and as many texts as fit. A text that is too long for a payload is lost. */
const packTexts = (node: string, texts: readonly string[]): string[] => {
  const payloads: string[] = []
  let size = MOST_BYTES
  for (const text of texts) {
    const bytes = Buffer.byteLength(text) + 1
    if (node.length + bytes > MOST_BYTES) continue
    if (size + bytes > MOST_BYTES) {
      payloads.push(node)
      size = node.length
    }
    payloads[payloads.length - 1] += `\n${text}`
    size += bytes
  }
  return payloads
}
