import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Conversation, ConversationList } from '../../schemas/conversation.ts'
import type { Session } from '../../schemas/account.ts'
import type { Message, SentMessage } from '../../schemas/message.ts'
import type { Problem } from '../../schemas/problem.ts'
import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { checkReply } from './documents.ts'
import { connect, type SocketOptions } from './socket.ts'
import { createDatabase, databaseUrl, dropDatabase, rows } from './test-database.ts'

export type Env = Record<string, string>

/** @returns a new folder with an empty database of its own. Both are removed when the test ends. */
export const temporaryFolder = async (t: Test): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  await createDatabase(folder)
  t.teardown(() => dropDatabase(folder))
  return folder
}

/**
 * Starts an app on a free port. It is closed when the test ends.
 * @param given the folder of a closed server, to reuse its database; by default the database is new
 */
export const startServer = async (t: Test, env: Env = {}, given?: string) => {
  const folder = given ?? (await temporaryFolder(t))
  const config = loadConfig({
    DATABASE_URL: databaseUrl(folder),
    LOG_LEVEL: 'silent',
    // Overload control stays off, because other tests keep the machine busy.
    MAX_LOOP_DELAY_MS: '0',
    ...env,
  })
  const app = await buildApp(config)
  // Teardowns run in reverse order, so the app is closed before its folder is removed.
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    app,
    url,
    folder,
    config,
    /** Calls the API without a user. */
    call: <T = Problem>(method: string, path: string, options: CallOptions = {}) =>
      call<T>(url, method, path, options),
    /** Reads rows from the database over a separate connection. */
    rows: (sql: string) => rows(folder, sql),
    login: (username: string, password?: string) => login(t, url, username, password),
  }
}
export type Server = Awaited<ReturnType<typeof startServer>>

/** Starts several nodes on one new database, which must be PostgreSQL. */
export const startNodes = async (t: Test, count: number, env: Env = {}) => {
  const folder = await temporaryFolder(t)
  const nodes: Server[] = []
  for (let n = 0; n < count; n += 1) nodes.push(await startServer(t, env, folder))
  return nodes as [Server, Server, ...Server[]]
}

/** A reply with its parsed body, which is undefined if the reply has none. */
export type Reply<T = unknown> = { status: number; headers: Headers; body: T }

export type CallOptions = { token?: string; body?: unknown; headers?: Record<string, string> }

/** Calls the HTTP API and checks the reply against its document. A text or byte body is sent unchanged. */
export const call = async <T = Problem>(
  url: string,
  method: string,
  path: string,
  { token, body, headers = {} }: CallOptions = {},
): Promise<Reply<T>> => {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const reply = await fetch(url + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: isRaw ? (body as string) : JSON.stringify(body) }),
  })
  const text = await reply.text()
  checkReply(method, path, reply.status, reply.headers, text)
  return {
    status: reply.status,
    headers: reply.headers,
    body: (text === '' ? undefined : JSON.parse(text)) as T,
  }
}

/** @returns a new session. @throws an error if the login fails */
export const logIn = async (url: string, username: string, password?: string): Promise<Session> => {
  const { status, body } = await call<Session>(url, 'POST', '/login', { body: { username, password } })
  // Not an assertion: at the top level of a file, tap would take it for the end.
  if (status !== 200) throw new Error(`login: ${JSON.stringify(body)}`)
  return body
}

/** Logs in. @returns the actions of this user over HTTP and sockets */
export const login = async (t: Test, url: string, username: string, password?: string) =>
  person(t, url, await logIn(url, username, password))

/** @returns the actions of the user of a session. */
export const person = (t: Test, url: string, session: Session) => {
  const { token, user } = session
  const as = <T = Problem>(method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    call<T>(url, method, path, { token, ...(body !== undefined && { body }), ...(headers && { headers }) })
  return {
    ...user,
    token,
    session,
    /** Calls the API with this user's token. */
    call: as,
    /** Sends over HTTP to a user's name or a conversation's id. @throws an error if the send is refused */
    async send(to: string | number, content: string, more: object = {}): Promise<SentMessage> {
      const target = typeof to === 'number' ? { conversation_id: to } : { receiver_username: to }
      const reply = await as<SentMessage>('POST', '/send', { ...target, content, ...more })
      if (reply.status !== 200) throw new Error(`send: ${JSON.stringify(reply.body)}`)
      return reply.body
    },
    /** Creates a group. @throws an error if it is refused */
    async createGroup(title: string, members: string[]): Promise<Conversation> {
      const reply = await as<Conversation>('POST', '/groups', { title, members })
      if (reply.status !== 200) throw new Error(`group: ${JSON.stringify(reply.body)}`)
      return reply.body
    },
    history: async (username: string, query = '') =>
      (await as<Message[]>('GET', `/history/${username}${query}`)).body,
    conversations: async () => (await as<ConversationList>('GET', '/conversations')).body.conversations,
    conversation: async (id: number) => (await as<Conversation>('GET', `/conversations/${id}`)).body,
    /** Opens a socket and waits for its `hello`. With `plain` it is one of the first contract, without `hello`. */
    connect: (options: SocketOptions = {}) => connect(t, url, token, options),
  }
}
export type Person = Awaited<ReturnType<typeof login>>
