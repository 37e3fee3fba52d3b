import { setTimeout as pause } from 'node:timers/promises'
import { get } from '../../../bench/load/http.ts'
import { type Attack, names, type Target } from './attack.ts'
import { Connection } from './connection.ts'
import type { Fill } from './fill.ts'
import { keepRequesting } from './patterns.ts'

const LOOPS = 8
/** The longest content: each character takes four bytes in UTF-8. */
const longest = '😀'.repeat(4096)

/** The reader has many conversations with many unread messages. The last message of each has the maximum length. */
const fillUnread = (fill: Fill, scaled: Target['scaled']) => {
  const reader = fill.user('reader')
  const conversations = names('writer', scaled(1000)).map((name) => {
    const writer = fill.user(name)
    return { writer, id: fill.direct(reader, writer) }
  })
  for (const { writer, id } of conversations) {
    for (let index = 1; index < 1000; index += 1) fill.message(id, writer, 'unread')
  }
  for (const { writer, id } of conversations) fill.message(id, writer, longest)
}

/** @returns the largest limit that the server accepts for a page */
const largestPage = async (target: Target, path: string, token: string) => {
  const connection = await Connection.open(target)
  const { status } = await connection.request(get(`${path}?limit=1000`, token))
  connection.close()
  return status === 400 ? 100 : 1000
}

/** @returns the reader's request for the largest page of conversations */
const largestConversationPage = async (target: Target) => {
  const token = target.tokens.reader as string
  return get(`/conversations?limit=${await largestPage(target, '/conversations', token)}`, token)
}

export const conversationPages: Attack = {
  name: 'conversation-pages',
  title:
    'eight loops of `GET /conversations`, the largest page, with 1,000 conversations of 1,000 unread messages',
  users: ['reader'],
  fill: fillUnread,
  mebibytes: 300,
  async run(target) {
    const request = await largestConversationPage(target)
    await keepRequesting(target, LOOPS, () => request)
  },
}

/** @param pipelined number of requests that each client sends at once */
export const createUnreadReplies = (pipelined: number): Attack => ({
  name: `unread-replies-${pipelined}`,
  title: `80 clients that request the largest page of conversations ${pipelined === 1 ? 'once' : `${pipelined} times at once`} and never read`,
  users: ['reader'],
  fill: fillUnread,
  mebibytes: 300,
  async run(target) {
    const request = await largestConversationPage(target)
    const connections = await Connection.openMany(target, target.scaled(80))
    for (const connection of connections) {
      connection.stopReading()
      connection.write(request.repeat(pipelined))
    }
    await pause(target.span)
    for (const connection of connections) connection.abandon()
  },
})

/** @param loops number of connections, each with a loop */
export const createHistoryPages = (loops: number): Attack => ({
  name: `history-pages-${loops}`,
  title: `${loops} loops of one user over a page of 1 MiB of messages`,
  users: ['reader'],
  fill(fill) {
    const [reader, writer] = [fill.user('reader'), fill.user('writer')]
    const id = fill.direct(reader, writer)
    for (let index = 0; index < 300; index += 1) fill.message(id, writer, 'x'.repeat(4096))
    return id
  },
  mebibytes: 500,
  async run(target) {
    const request = get(
      `/conversations/${target.filled as number}/messages?limit=1000`,
      target.tokens.reader as string,
    )
    await keepRequesting(target, target.scaled(loops), () => request)
  },
})

/** Requests the paths in turn, in eight loops. */
const requestInTurn = (target: Target, paths: readonly string[], token: string) =>
  keepRequesting(target, LOOPS, (turn) => get(paths[turn % paths.length] as string, token))

export const membershipPeriods: Attack = {
  name: 'membership-periods',
  title: 'eight loops over the lists of a member who joined one group and left it 20,000 times',
  users: ['guest'],
  fill(fill, scaled) {
    const [host, guest] = [fill.user('host'), fill.user('guest')]
    const id = fill.group([host])
    for (let left = scaled(20_000); left > 0; left -= 1) fill.period(id, guest, host)
    return { id, epoch: fill.epoch }
  },
  mebibytes: 300,
  async run(target) {
    const { id, epoch } = target.filled as { id: number; epoch: string }
    const paths = [
      `/conversations/${id}/messages`,
      `/conversations/${id}/messages?after=1`,
      `/conversations/${id}`,
      `/conversations/${id}/members`,
      '/conversations',
      `/sync?cursor=${epoch}.0`,
    ]
    await requestInTurn(target, paths, target.tokens.guest as string)
  },
}

export const longLists: Attack = {
  name: 'long-lists',
  title: 'eight loops over 20,000 blocks, 20,000 users, 256 members, and `/sync` over 2,000 groups',
  users: ['lister'],
  fill(fill, scaled) {
    const lister = fill.user('lister')
    const people = names('user', scaled(20_000)).map((name) => fill.user(name))
    for (const person of people) fill.block(lister, person)
    const groups = Array.from({ length: scaled(2000) }, () => fill.group([lister]))
    const id = fill.group([lister, ...people.slice(0, 255)])
    for (const group of groups) fill.message(group, lister, 'hello')
    return { id, epoch: fill.epoch }
  },
  mebibytes: 300,
  async run(target) {
    const { id, epoch } = target.filled as { id: number; epoch: string }
    const token = target.tokens.lister as string
    const paths = [
      '/blocks',
      '/users?prefix=user&limit=100',
      `/conversations/${id}/members`,
      `/sync?cursor=${epoch}.0&limit=${await largestPage(target, '/sync', token)}`,
    ]
    await requestInTurn(target, paths, token)
  },
}
