import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { PutWebhook, Webhook, WebhookBatch, WebhookEvent } from '../../schemas/webhook.ts'
import type { Certificate } from './certificates.ts'
import { checkBatch } from './documents.ts'
import { createApp } from './server-key.ts'
import type { Env, Server } from './server.ts'

/** The environment of servers whose webhooks lead to receivers of the tests. */
export const RECEIVABLE: Env = { WEBHOOK_ALLOW_PRIVATE: '1' }

/** One request to a receiver. */
export type Received = {
  id: string
  text: string
  batch: WebhookBatch
  headers: IncomingHttpHeaders
  path: string
}

/** Answers a request: a status, a status and a body, or nothing, after it wrote the response itself. */
export type Answer = (
  request: Received,
  response: ServerResponse,
) => number | [number, object] | void | Promise<number | [number, object] | void>

/**
 * Starts a receiver of webhooks, which checks each batch against its document. It answers 204 until `answer` is set.
 * @param certificate with it, the receiver uses TLS
 * @returns what it received, and a function that waits until that fulfils a condition
 */
export const startReceiver = async (t: Test, given: Answer = () => 204, certificate?: Certificate) => {
  const requests: Received[] = []
  let answer = given
  let noticed = Promise.withResolvers<void>()
  const receive = async ({ headers, url = '' }: IncomingMessage, text: string, response: ServerResponse) => {
    const received = { id: String(headers['webhook-id']), text, batch: JSON.parse(text), headers, path: url }
    const wrong = checkBatch(received.batch)
    if (wrong) t.fail(wrong)
    requests.push(received)
    const reply = await answer(received, response)
    noticed.resolve()
    noticed = Promise.withResolvers()
    if (reply === undefined) return
    const [status, body] = typeof reply === 'number' ? [reply, undefined] : reply
    response.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body))
  }
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => void receive(request, Buffer.concat(chunks).toString(), response))
  }
  const server = certificate ? createSecureServer(certificate, listener) : createServer(listener)
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const until = async (isDone: () => boolean) => {
    while (!isDone()) await noticed.promise
  }
  return {
    url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}/hook`,
    port,
    requests,
    /** The events of all requests, in order, each batch once. */
    events: (): WebhookEvent[] => {
      const batches = new Map(requests.map(({ id, batch }) => [id, batch]))
      return [...batches.values()].flatMap(({ events }) => events)
    },
    setAnswer(next: Answer) {
      answer = next
    },
    until,
    /** Waits for a number of requests. @returns the last of them */
    async untilRequests(count: number): Promise<Received> {
      await until(() => requests.length >= count)
      return requests[count - 1] as Received
    },
  }
}
export type Receiver = Awaited<ReturnType<typeof startReceiver>>

/** @returns the app of a server, with the calls that manage webhooks */
export const createWebhookApp = async (server: Pick<Server, 'folder' | 'url'>) => {
  const app = await createApp(server)
  return {
    ...app,
    async put(name: string, body: object): Promise<PutWebhook> {
      const reply = await app.call<PutWebhook>('PUT', `/webhooks/${name}`, body)
      if (reply.status !== 200) throw new Error(JSON.stringify(reply.body))
      return reply.body
    },
    state: async (name: string) => (await app.call<Webhook>('GET', `/webhooks/${name}`)).body,
    /** Waits until the state of a webhook fulfils a condition. */
    async untilState(name: string, isDone: (state: Webhook) => boolean): Promise<Webhook> {
      for (;;) {
        const { body } = await app.call<Webhook>('GET', `/webhooks/${name}`)
        if (isDone(body)) return body
        await sleep(20)
      }
    },
  }
}
