import assert from 'node:assert/strict'
import type { Receipt } from '../../schemas/conversation.ts'
import type { Message } from '../../schemas/message.ts'
import { pick } from './commands.ts'
import type { Model, ResultCode, Target } from './model.ts'
import type { Caller, Requests } from './requests.ts'
import type { Chat, Entry } from './state.ts'

/** Counts the results of all sends, which shows whether the commands also reach refusals. */
export const sendResults = new Map<ResultCode, number>()

/** Performs each action on the server and on the model, and compares the result codes. */
export class Actions {
  readonly #model: Model
  readonly #requests: Requests
  #keys = 0

  constructor(model: Model, requests: Requests) {
    this.#model = model
    this.#requests = requests
  }

  async send(caller: Caller, target: Target, reply_to?: number) {
    const expected = this.#model.maySend(caller.who, target, reply_to)
    sendResults.set(expected, (sendResults.get(expected) ?? 0) + 1)
    const { code, message } = await this.#requests.perform(
      caller,
      'send',
      this.#request(target, this.#content(), reply_to),
    )
    assert.equal(code, expected)
    if (code === 'ok') this.#model.sent(caller.who, target, message as Message)
  }

  #request(target: Target, content: string, reply_to?: number) {
    this.#keys += 1
    return {
      ...('chat' in target ? { conversation_id: target.chat.id } : { receiver_username: target.receiver }),
      content,
      client_id: `key-${this.#keys}`,
      ...(reply_to !== undefined && { reply_to }),
    }
  }

  #content = () => `message ${this.#keys}`

  async retry(caller: Caller, entry: Entry | undefined, hasOtherContent: boolean) {
    if (!entry) return
    const content = hasOtherContent ? `${entry.original}, and more` : entry.original
    const { id, chat, client_id, reply_to } = entry
    const { code, message } = await this.#requests.perform(caller, 'send', {
      conversation_id: chat.id,
      content,
      client_id,
      ...(reply_to !== undefined && { reply_to }),
    })
    assert.equal(code, hasOtherContent ? 'IDEMPOTENCY_KEY_REUSED' : 'ok')
    if (hasOtherContent) return
    assert.equal(message?.id, id, 'a retry returns the original message')
    assert.equal(message?.content, entry.content, 'in its current state')
  }

  /** Every user sends at once, over HTTP and sockets. */
  async burst({ a, b }: { a: number; b: number }) {
    const sends = this.#model.users.flatMap((who, index) => {
      const chat = pick(this.#model.chatsOf(who), a + index)
      const target: Target = chat ? { chat } : { receiver: this.#model.users[b % 4] as string }
      return [false, true].map((overSocket) => ({ who, target, overSocket }))
    })
    const expected = sends.map(({ who, target }) => this.#model.maySend(who, target, undefined))
    const outcomes = await Promise.all(
      sends.map((send) => this.#requests.perform(send, 'send', this.#request(send.target, this.#content()))),
    )
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      expected,
    )
    const done = outcomes.map((outcome, index) => ({ ...outcome, ...(sends[index] as (typeof sends)[0]) }))
    for (const { code, who, target, message } of done.sort(
      (x, y) => (x.message?.id ?? 0) - (y.message?.id ?? 0),
    )) {
      if (code === 'ok') this.#model.sent(who, target, message as Message)
    }
  }

  /** Sends over a socket that is dropped before the ack, and retries over HTTP. The message is stored once. */
  async sendAndDrop(who: string, target: Target) {
    const expected = this.#model.maySend(who, target, undefined)
    const request = this.#request(target, this.#content())
    const device = this.#requests.devicesOf(who).find(({ isOpen }) => isOpen)
    await device?.sendAndDrop({ type: 'send', ...request })
    const { code, message } = await this.#requests.perform({ who, overSocket: false }, 'send', request)
    assert.equal(code, expected)
    if (code === 'ok') this.#model.sent(who, target, message as Message)
  }

  async change(caller: Caller, entry: Entry | undefined, content: string | undefined) {
    if (!entry) return
    const isEdit = content !== undefined
    const expected = this.#model.mayChange(caller.who, entry, isEdit)
    const { code, message } = await this.#requests.perform(caller, isEdit ? 'edit' : 'delete', {
      message_id: entry.id,
      ...(isEdit && { content }),
    })
    assert.equal(code, expected)
    if (code !== 'ok') return
    if (isEdit) this.#model.edited(entry, content)
    else this.#model.deleted(entry)
    assert.equal(message?.content, entry.content)
  }

  async mark(caller: Caller, chat: Chat, a: number, b: number) {
    const expected = this.#model.access(chat, caller.who)
    const entries = this.#model.entries.filter((entry) => entry.chat === chat)
    const id = pick(entries, a)?.id ?? 1000 + a
    const marks = [{ read_up_to: id }, { delivered_up_to: id }, { delivered_up_to: id, read_up_to: b * 50 }][
      b % 3
    ] as object
    const { code, receipt } = await this.#requests.perform(caller, 'mark', {
      conversation_id: chat.id,
      ...marks,
    })
    assert.equal(code, expected)
    if (code !== 'ok') return
    const { delivered_up_to: delivered, read_up_to: read } = marks as Partial<Receipt>
    const moved = this.#model.marked(chat, caller.who, {
      ...(delivered !== undefined && { delivered }),
      ...(read !== undefined && { read }),
    })
    assert.deepEqual([receipt?.delivered_up_to, receipt?.read_up_to], [moved.delivered, moved.read])
  }

  /** Adds a member after a message and changes that message. Only earlier members receive the change. */
  async addAfterSend(caller: Caller, a: number, b: number) {
    const model = this.#model
    const group = pick(
      model.chatsOf(caller.who).filter((chat) => model.period(chat, caller.who)?.isOwner),
      a,
    )
    const joiner =
      group &&
      pick(
        model.users.filter((who) => !model.isIn(group, who)),
        b,
      )
    if (!group || !joiner) return
    await this.send(caller, { chat: group })
    const entry = model.entries.at(-1)
    await this.add(caller.who, group, joiner)
    await this.change(caller, entry, b % 3 === 0 ? undefined : `edited ${b}`)
  }

  /** Removes a member after a message and changes that message. The former member cannot see the change. */
  async removeAfterSend(caller: Caller, a: number, b: number) {
    const model = this.#model
    const groups = model
      .chatsOf(caller.who)
      .filter((chat) => model.period(chat, caller.who)?.isOwner && model.present(chat).length > 1)
    const group = pick(groups, a)
    if (!group) return
    const others = model.present(group).filter(({ who }) => who !== caller.who)
    const { who: leaver } = pick(others, b) as (typeof others)[0]
    await this.send(caller, { chat: group })
    const entry = model.entries.at(-1)
    await this.remove(caller.who, group, leaver)
    await this.change(caller, entry, b % 3 === 0 ? undefined : `edited ${b}`)
  }

  async createGroup(who: string, members: string[]) {
    const expected = this.#model.mayCreate(who, members)
    const { code, body } = await this.#requests.call(who, 'POST', '/groups', { title: 'a group', members })
    assert.equal(code, expected)
    if (code === 'ok') this.#model.created(who, members, 'a group', body.id)
  }

  async rename(who: string, chat: Chat, title: string) {
    const expected = this.#model.mayManage(chat, who)
    const { code } = await this.#requests.call(who, 'PATCH', `/groups/${chat.id}`, { title })
    assert.equal(code, expected)
    if (code === 'ok') this.#model.renamed(chat, title)
  }

  async add(who: string, chat: Chat, joiner: string) {
    const expected = this.#model.mayAdd(chat, who, joiner)
    const { code } = await this.#requests.call(who, 'PUT', `/groups/${chat.id}/members/${joiner}`)
    assert.equal(code, expected)
    if (code === 'ok') this.#model.added(chat, joiner)
  }

  async setRole(who: string, chat: Chat, member: string, isOwner: boolean) {
    const expected = this.#model.maySetRole(chat, who, member, isOwner)
    const { code } = await this.#requests.call(who, 'PUT', `/groups/${chat.id}/members/${member}`, {
      role: isOwner ? 'owner' : 'member',
    })
    assert.equal(code, expected)
    if (code === 'ok') this.#model.roleSet(chat, member, isOwner)
  }

  /**
   * Suspends a user. Until the suspension ends, every change by the user and on behalf of the user is refused, and others can
   * still write to the user. A send that was refused is a new one when it is repeated after the suspension.
   */
  async suspend(who: string, target: Target) {
    const { host } = this.#requests
    const path = `/users/${who}/suspension`
    const request = this.#request(target, this.#content())
    assert.equal((await host.asApp('PUT', path, { reason: 'Spam' })).code, 'ok')
    const own = this.#model.entries.find(({ sender }) => sender === who)
    const changes = own
      ? ([
          ['edit', { message_id: own.id, content: 'edited' }],
          ['delete', { message_id: own.id }],
          ['mark', { conversation_id: own.chat.id, read_up_to: own.id }],
        ] as const)
      : []
    for (const byKey of [false, true])
      for (const [operation, body] of [['send', request] as const, ...changes]) {
        const { code } = await this.#requests.perform({ who, overSocket: false, byKey }, operation, body)
        assert.equal(code, 'ACCOUNT_SUSPENDED')
      }
    const other = this.#model.users.find((name) => name !== who) as string
    await this.send({ who: other, overSocket: true }, { receiver: who })
    assert.equal((await host.asApp('DELETE', path)).code, 'ok')
    const expected = this.#model.maySend(who, target, undefined)
    const { code, message } = await this.#requests.perform({ who, overSocket: false }, 'send', request)
    assert.equal(code, expected)
    if (code === 'ok') this.#model.sent(who, target, message as Message)
  }

  /** A user of the app joins a group, sends, and is removed: the user leaves, and the message stays. */
  async invite(caller: Caller, a: number) {
    const { host } = this.#requests
    const model = this.#model
    const group = pick(
      model.chatsOf(caller.who).filter((chat) => model.period(chat, caller.who)?.isOwner),
      a,
    )
    if (!group) return
    this.#keys += 1
    const guest = `${caller.who}-guest-${this.#keys}`
    assert.equal((await host.asApp('PUT', `/users/${guest}`, {})).code, 'ok')
    await this.add(caller.who, group, guest)
    const byKey = { who: guest, overSocket: false, byKey: true }
    await this.send(byKey, { chat: group })
    assert.equal((await host.asApp('DELETE', `/users/${guest}`)).code, 'ok')
    model.removed(group, guest)
    const refused = await this.#requests.perform(byKey, 'send', this.#request({ chat: group }, 'too late'))
    // If the bus lost the removal, the writer refuses.
    assert.match(refused.code, /^(USER_NOT_FOUND|UNAUTHORIZED)$/)
  }

  async remove(who: string, chat: Chat, leaver: string) {
    const expected = this.#model.mayRemove(chat, who, leaver)
    const { code } = await this.#requests.call(who, 'DELETE', `/groups/${chat.id}/members/${leaver}`)
    assert.equal(code, expected)
    if (code === 'ok') this.#model.removed(chat, leaver)
  }

  async block(who: string, other: string, kind: 'block' | 'unblock') {
    const { code } = await this.#requests.call(who, kind === 'block' ? 'PUT' : 'DELETE', `/blocks/${other}`)
    assert.equal(code, 'ok')
    if (kind === 'unblock') this.#model.unblocked(who, other)
    else if (!this.#model.isBlocking(who, other)) this.#model.blocked(who, other)
  }
}
