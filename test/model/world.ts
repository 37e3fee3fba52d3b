import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { Conversation, ConversationList, Receipt } from '../../schemas/conversation.ts'
import type { Message } from '../../schemas/message.ts'
import { Device, type Shown, View } from './device.ts'
import type { Host } from './host.ts'
import { Model, type Note, type Talk, type Target, type Verdict } from './model.ts'

const kinds = [
  ...[
    'send',
    'send',
    'send',
    'send',
    'send',
    'reply',
    'repeat',
    'reuse',
    'burst',
    'shout',
    'notes',
    'stranger',
    'quarrel',
    'quarrel',
  ],
  ...['edit', 'edit', 'edit', 'delete', 'mark', 'mark', 'mark', 'mark'],
  ...[
    'group',
    'rename',
    'add',
    'add',
    'remove',
    'leave',
    'rejoin',
    'newcomer',
    'newcomer',
    'parting',
    'parting',
    'block',
    'block',
    'back',
    'unblock',
    'unblock',
  ],
  ...['device', 'connect', 'connect', 'drop', 'drop', 'flap', 'flap', 'poll', 'stall', 'lose'],
] as const

/** A thing that somebody does. What its numbers stand for depends on what is there when it is done. */
export const command = fc.record({
  kind: fc.constantFrom(...kinds),
  who: fc.nat(3),
  a: fc.nat(30),
  b: fc.nat(30),
  overSocket: fc.boolean(),
})
export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

type Outcome = {
  code: Verdict
  message?: Message | undefined
  receipt?: Receipt | undefined
  duplicate?: boolean
}

const frames = {
  send: 'send',
  edit: 'edit',
  delete: 'delete',
  mark: 'receipt',
}

/** What came of the sends of all runs: a model that is never refused anything would show little. */
export const tally = new Map<Verdict, number>()

/** Four people with their devices on a server, and the model of what they should know. */
export class World {
  readonly #host: Host
  readonly #model: Model
  readonly #tokens = new Map<string, string>()
  readonly #devices = new Map<string, Device[]>()
  #keys = 0

  constructor(host: Host, name: string) {
    this.#host = host
    this.#model = new Model(['ann', 'bob', 'cid', 'dot'].map((who) => `${who}-${name}`))
  }

  async begin() {
    for (const who of this.#model.people) {
      this.#tokens.set(who, await this.#host.login(who))
      this.#devices.set(who, [])
      await this.#addDevice(who, false)
      await this.#addDevice(who, true)
    }
  }

  async run(commands: readonly Command[]) {
    for (const { kind, ...numbers } of commands) {
      await this.#do(kind, numbers)
      for (const device of this.#all()) device.check()
    }
  }

  /** Everybody's sockets are gone, as in a restart. */
  drop() {
    for (const device of this.#all()) device.drop()
  }

  /** Everybody comes back. */
  async connect() {
    for (const device of this.#all()) await device.connect()
  }

  /** Everybody's every device knows what the model says, and so do the lists. */
  async check({ withMarks }: { withMarks: boolean }) {
    for (const who of this.#model.people) {
      for (const device of this.#devices.get(who) as Device[]) {
        await device.settle()
        this.#compare(who, device.view, withMarks)
      }
      await this.#compareLists(who)
    }
  }

  async #do(kind: Command['kind'], numbers: Omit<Command, 'kind'>) {
    const { a, b } = numbers
    const model = this.#model
    const who = model.people[numbers.who] as string
    const other = model.people[a % 4] as string
    const talk = at(model.talksOf(who), a)
    const device = at(this.#devices.get(who) as Device[], a) as Device
    const door = { who, overSocket: numbers.overSocket }
    switch (kind) {
      case 'send':
        return this.#send(door, talk && b % 3 > 0 ? { talk } : { receiver: other })
      case 'quarrel':
        return this.#send(door, { receiver: model.people[a % 2] as string })
      case 'notes':
        return this.#send(door, { receiver: who })
      case 'stranger': {
        // Perhaps a conversation that is none of one's own.
        const any = at(model.talks, a)
        return any && this.#send(door, { talk: any })
      }
      case 'reply':
        return this.#send(door, talk ? { talk } : { receiver: other }, at(model.notes, b)?.id)
      case 'repeat':
        return this.#repeat(
          door,
          at(
            model.notes.filter((note) => note.sender === who),
            b,
          ),
          false,
        )
      case 'reuse':
        return this.#repeat(
          door,
          at(
            model.notes.filter((note) => note.sender === who),
            b,
          ),
          true,
        )
      case 'burst':
        return this.#burst(numbers)
      case 'shout':
        return this.#shout(who, { receiver: other })
      case 'edit':
        return this.#change(door, this.#pick(who, a, b), `edited ${b}`)
      case 'delete':
        return this.#change(door, this.#pick(who, a, b), undefined)
      case 'mark':
        return talk && this.#mark(door, talk, a, b)
      case 'group':
        return this.#makeGroup(
          who,
          model.people.filter((_, index) => (b >> index) % 2 === 1),
        )
      case 'rename':
        return talk && this.#rename(who, talk, `title ${b % 4}`)
      case 'add':
        return talk && this.#add(who, talk, model.people[b % 4] as string)
      case 'remove':
        return talk && this.#remove(who, talk, model.people[b % 4] as string)
      case 'leave':
        return talk && this.#remove(who, talk, who)
      case 'rejoin': {
        // Owners bring somebody back who has left.
        const left = at(
          model.talks.flatMap((group) =>
            group.stays.filter((stay) => !model.isIn(group, stay.who)).map((stay) => ({ group, stay })),
          ),
          a,
        )
        const owner = left && model.present(left.group).find(({ isOwner }) => isOwner)
        return left && owner && this.#add(owner.who, left.group, left.stay.who)
      }
      case 'newcomer':
        return this.#newcomer(door, a, b)
      case 'parting':
        return this.#parting(door, a, b)
      case 'back': {
        const [blocker, blocked] = at([...model.blocks], a)?.split('>') ?? []
        return blocker && blocked && this.#block(blocked, blocker, 'block')
      }
      case 'block':
      case 'unblock': {
        // Most blocks stand between two who write to each other often.
        const [blocker, blocked] = b % 4 === 0 ? [who, other] : (model.people.slice(0, 2) as [string, string])
        return blocker === blocked ? undefined : this.#block(blocker, blocked, kind)
      }
      case 'device':
        return (this.#devices.get(who) as Device[]).length < 4
          ? this.#addDevice(who, numbers.overSocket)
          : undefined
      case 'connect':
        return device.connect()
      case 'drop':
        return device.drop()
      case 'flap':
        return device.isSync ? device.poll(b % 3, 1 + (a % 3)) : device.flap(b % 7)
      case 'poll':
        return device.isSync ? device.poll(1, 1 + b) : undefined
      case 'stall':
        return device.stall()
      case 'lose':
        return this.#host.loseBatch()
    }
  }

  #all = () => [...this.#devices.values()].flat()

  #pick(who: string, a: number, b: number): Note | undefined {
    const mine = this.#model.notes.filter(({ sender }) => sender === who)
    // Now and then one that somebody else has written.
    return b % 5 === 0 ? at(this.#model.notes, a) : at(mine.slice(-8), a)
  }

  async #addDevice(who: string, isSync: boolean) {
    const token = this.#tokens.get(who) as string
    const mayMiss = (id: number) => {
      const note = this.#model.notes.find((one) => one.id === id)
      return note !== undefined && this.#model.mayMiss(note, who)
    }
    const view = await View.load(this.#host, token, mayMiss)
    const device = new Device(this.#host, token, view, isSync)
    this.#devices.get(who)?.push(device)
    await device.connect()
  }

  /** Asks over the socket of a device, if one is open; else, or if that one ends before the answer, over HTTP. */
  async #ask(door: Door, what: keyof typeof frames, request: Record<string, unknown>): Promise<Outcome> {
    const device =
      door.overSocket && this.#devices.get(door.who)?.find(({ isOpen, isSlow }) => isOpen && !isSlow)
    if (device) {
      try {
        const reply = await device.ask({ type: frames[what], ...request })
        if (reply.type === 'error') return { code: reply.problem.code as Verdict }
        assert(reply.type === 'ack')
        return {
          code: 'ok',
          message: reply.message,
          receipt: reply.receipt,
          duplicate: reply.duplicate ?? false,
        }
      } catch (error) {
        device.check()
        assert.match((error as Error).message, /socket is gone/)
      }
    }
    const token = this.#tokens.get(door.who) as string
    const { message_id, conversation_id, ...body } = request as {
      message_id?: number
      conversation_id?: number
    }
    switch (what) {
      case 'send': {
        const { code, body: message } = await this.#host.call<Message>(token, 'POST', '/send', request)
        return { code: code as Verdict, message }
      }
      case 'edit':
      case 'delete': {
        const method = what === 'edit' ? 'PATCH' : 'DELETE'
        const reply = await this.#host.call<Message>(
          token,
          method,
          `/messages/${message_id}`,
          what === 'edit' ? body : undefined,
        )
        return { code: reply.code as Verdict, message: reply.body }
      }
      case 'mark': {
        const reply = await this.#host.call<Receipt>(
          token,
          'PUT',
          `/conversations/${conversation_id}/receipt`,
          body,
        )
        return { code: reply.code as Verdict, receipt: reply.body }
      }
    }
  }

  async #send(door: Door, target: Target, reply_to?: number) {
    const expected = this.#model.maySend(door.who, target, reply_to)
    tally.set(expected, (tally.get(expected) ?? 0) + 1)
    const { code, message } = await this.#ask(door, 'send', this.#request(target, this.#content(), reply_to))
    assert.equal(code, expected)
    if (code === 'ok') this.#model.sent(door.who, target, message as Message)
  }

  #request(target: Target, content: string, reply_to?: number) {
    this.#keys += 1
    return {
      ...('talk' in target ? { conversation_id: target.talk.id } : { receiver_username: target.receiver }),
      content,
      client_id: `key-${this.#keys}`,
      ...(reply_to !== undefined && { reply_to }),
    }
  }

  #content = () => `message ${this.#keys}`

  async #repeat(door: Door, note: Note | undefined, isOther: boolean) {
    if (!note) return
    const content = isOther ? `${note.original}, and more` : note.original
    const { id, talk, client_id, reply_to } = note
    const { code, message } = await this.#ask(door, 'send', {
      conversation_id: talk.id,
      content,
      client_id,
      ...(reply_to !== undefined && { reply_to }),
    })
    assert.equal(code, isOther ? 'IDEMPOTENCY_KEY_REUSED' : 'ok')
    if (isOther) return
    assert.equal(message?.id, id, 'a repeat gives the original')
    assert.equal(message?.content, note.content, 'as it is now')
  }

  /** Everybody writes at once, over both doors. */
  async #burst({ a, b }: { a: number; b: number }) {
    const sends = this.#model.people.flatMap((who, index) => {
      const talk = at(this.#model.talksOf(who), a + index)
      const target: Target = talk ? { talk } : { receiver: this.#model.people[b % 4] as string }
      return [0, 1].map((door) => ({ who, target, overSocket: door === 1 }))
    })
    const expected = sends.map(({ who, target }) => this.#model.maySend(who, target, undefined))
    const outcomes = await Promise.all(
      sends.map((send) => this.#ask(send, 'send', this.#request(send.target, this.#content()))),
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

  /** Sends over a socket that is gone before the answer, and again: it is there once. */
  async #shout(who: string, target: Target) {
    const expected = this.#model.maySend(who, target, undefined)
    const request = this.#request(target, this.#content())
    const device = this.#devices.get(who)?.find(({ isOpen }) => isOpen)
    await device?.shout({ type: 'send', ...request })
    const { code, message } = await this.#ask({ who, overSocket: false }, 'send', request)
    assert.equal(code, expected)
    if (code === 'ok') this.#model.sent(who, target, message as Message)
  }

  async #change(door: Door, note: Note | undefined, content: string | undefined) {
    if (!note) return
    const isEdit = content !== undefined
    const expected = this.#model.mayChange(door.who, note, isEdit)
    const { code, message } = await this.#ask(door, isEdit ? 'edit' : 'delete', {
      message_id: note.id,
      ...(isEdit && { content }),
    })
    assert.equal(code, expected)
    if (code !== 'ok') return
    if (isEdit) this.#model.edited(note, content)
    else this.#model.deleted(note)
    assert.equal(message?.content, note.content)
  }

  async #mark(door: Door, talk: Talk, a: number, b: number) {
    const expected = this.#model.place(talk, door.who)
    const id =
      at(
        this.#model.notes.filter((note) => note.talk === talk),
        a,
      )?.id ?? 1000 + a
    const marks = [{ read_up_to: id }, { delivered_up_to: id }, { delivered_up_to: id, read_up_to: b * 50 }][
      b % 3
    ] as object
    const { code, receipt } = await this.#ask(door, 'mark', { conversation_id: talk.id, ...marks })
    assert.equal(code, expected)
    if (code !== 'ok') return
    const { delivered_up_to: delivered, read_up_to: read } = marks as Partial<Receipt>
    const moved = this.#model.marked(talk, door.who, {
      ...(delivered !== undefined && { delivered }),
      ...(read !== undefined && { read }),
    })
    assert.deepEqual([receipt?.delivered_up_to, receipt?.read_up_to], [moved.delivered, moved.read])
  }

  /** Somebody comes into a group after a message, which is changed then: that is told to those only who may see it. */
  async #newcomer(door: Door, a: number, b: number) {
    const model = this.#model
    const group = at(
      model.talksOf(door.who).filter((talk) => model.stay(talk, door.who)?.isOwner),
      a,
    )
    const joining =
      group &&
      at(
        model.people.filter((who) => !model.isIn(group, who)),
        b,
      )
    if (!group || !joining) return
    await this.#send(door, { talk: group })
    const note = model.notes.at(-1)
    await this.#add(door.who, group, joining)
    await this.#change(door, note, b % 3 === 0 ? undefined : `edited ${b}`)
  }

  /** Somebody leaves a group after a message, which is changed then: that is hidden from the one who left. */
  async #parting(door: Door, a: number, b: number) {
    const model = this.#model
    const groups = model
      .talksOf(door.who)
      .filter((talk) => model.stay(talk, door.who)?.isOwner && model.present(talk).length > 1)
    const group = at(groups, a)
    if (!group) return
    const others = model.present(group).filter(({ who }) => who !== door.who)
    const { who: leaving } = at(others, b) as (typeof others)[0]
    await this.#send(door, { talk: group })
    const note = model.notes.at(-1)
    await this.#remove(door.who, group, leaving)
    await this.#change(door, note, b % 3 === 0 ? undefined : `edited ${b}`)
  }

  #call = (who: string, method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object) =>
    this.#host.call<Conversation>(this.#tokens.get(who) as string, method, path, body)

  async #makeGroup(who: string, members: string[]) {
    const expected = this.#model.mayMake(who, members)
    const { code, body } = await this.#call(who, 'POST', '/groups', { title: 'a group', members })
    assert.equal(code, expected)
    if (code === 'ok') this.#model.made(who, members, 'a group', body.id)
  }

  async #rename(who: string, talk: Talk, title: string) {
    const expected = this.#model.mayOwn(talk, who)
    const { code } = await this.#call(who, 'PATCH', `/groups/${talk.id}`, { title })
    assert.equal(code, expected)
    if (code === 'ok') this.#model.renamed(talk, title)
  }

  async #add(who: string, talk: Talk, joining: string) {
    const expected = this.#model.mayAdd(talk, who, joining)
    const { code } = await this.#call(who, 'PUT', `/groups/${talk.id}/members/${joining}`)
    assert.equal(code, expected)
    if (code === 'ok') this.#model.added(talk, joining)
  }

  async #remove(who: string, talk: Talk, leaving: string) {
    const expected = this.#model.mayRemove(talk, who, leaving)
    const { code } = await this.#call(who, 'DELETE', `/groups/${talk.id}/members/${leaving}`)
    assert.equal(code, expected)
    if (code === 'ok') this.#model.removed(talk, leaving)
  }

  async #block(who: string, other: string, kind: 'block' | 'unblock') {
    const { code } = await this.#call(who, kind === 'block' ? 'PUT' : 'DELETE', `/blocks/${other}`)
    assert.equal(code, 'ok')
    if (kind === 'unblock') this.#model.unblocked(who, other)
    else if (!this.#model.isBlocking(who, other)) this.#model.blocked(who, other)
  }

  #compare(who: string, view: View, withMarks: boolean) {
    const model = this.#model
    const seen = model.notes.filter((note) => model.wasThere(note.talk, who, note.at))
    const had = seen.filter((note) => view.messages.has(note.id) || !model.mayMiss(note, who))
    assert.deepEqual(
      [...view.messages.keys()],
      had.map(({ id }) => id),
      `the messages of ${who}`,
    )
    for (const note of had) {
      // What was changed while one was away from a group is read again, not told.
      if (note.changed !== undefined && !model.wasThere(note.talk, who, note.changed)) continue
      this.#compareMessage(who, view.messages.get(note.id) as Message, note)
    }
    const conversations = model.talksOf(who).map((talk): [number, Shown] => [talk.id, this.#shown(who, talk)])
    assert.deepEqual(
      sorted(view.conversations),
      new Map(conversations.sort(([a], [b]) => a - b)),
      `the conversations of ${who}`,
    )
    if (withMarks) for (const talk of model.talksOf(who)) this.#compareMarks(who, talk, view)
  }

  #shown(who: string, talk: Talk): Shown {
    if (talk.pair) {
      const peer = talk.pair.find((name) => name !== who) ?? who
      return { kind: 'direct', title: undefined, peer, member_count: talk.pair.length, isLeft: false }
    }
    const { title, count } = this.#model.stay(talk, who)?.atEnd ?? {
      title: talk.title,
      count: this.#model.present(talk).length,
    }
    return {
      kind: 'group',
      title,
      peer: undefined,
      member_count: count,
      isLeft: !this.#model.isIn(talk, who),
    }
  }

  #compareMessage(who: string, message: Message, note: Note) {
    const peer = note.talk.pair && (note.talk.pair.find((name) => name !== note.sender) ?? note.sender)
    assert.deepEqual(
      {
        content: message.content,
        sender: message.sender,
        receiver: message.receiver,
        conversation_id: message.conversation_id,
        client_id: message.client_id,
        reply_to: message.reply_to,
        isEdited: message.edited_at !== undefined,
        isDeleted: message.deleted_at !== undefined,
      },
      {
        content: note.content,
        sender: note.sender,
        receiver: peer,
        conversation_id: note.talk.id,
        client_id: note.sender === who ? note.client_id : undefined,
        reply_to: note.reply_to,
        isEdited: note.isEdited,
        isDeleted: note.isDeleted,
      },
      `message ${note.id} for ${who}`,
    )
  }

  #compareMarks(who: string, talk: Talk, view: View) {
    const model = this.#model
    const mine = model.stay(talk, who)
    for (const other of new Set(talk.stays.map((stay) => stay.who))) {
      const stay = model.stay(talk, other)
      const known = view.marks.get(`${talk.id}:${other}`) ?? { delivered: 0, read: 0 }
      const { delivered, read } = stay as { delivered: number; read: number }
      // Of others, what they read while both were there; and what they read across a block is not shown.
      const isTold =
        other === who ||
        (model.isIn(talk, who) && stay && mine && stay.moved >= mine.from && model.isIn(talk, other))
      const isHidden = other !== who && model.isBlocked(talk)
      if (isTold && !isHidden)
        assert.deepEqual(known, { delivered, read }, `the marks of ${other} for ${who}`)
      const most = model.shownMarks(talk, who, other)
      assert(known.delivered <= most.delivered && known.read <= most.read, `${who} knows no more of ${other}`)
    }
  }

  async #compareLists(who: string) {
    const model = this.#model
    const token = this.#tokens.get(who) as string
    const { body } = await this.#host.call<ConversationList>(token, 'GET', '/conversations?limit=1000')
    assert.deepEqual(
      body.conversations.map(({ id }) => id).sort((a, b) => a - b),
      model
        .talksOf(who)
        .map(({ id }) => id)
        .sort((a, b) => a - b),
    )
    for (const conversation of body.conversations) {
      const talk = model.talks.find(({ id }) => id === conversation.id) as Talk
      const visible = model.notes.filter((note) => note.talk === talk && model.canSee(note, who))
      const stay = model.stay(talk, who)
      const { kind, title, peer, member_count, isLeft } = this.#shown(who, talk)
      const marks = model.shownMarks(talk, who, who)
      const peerMarks = talk.pair && peer !== who ? model.shownMarks(talk, who, peer as string) : undefined
      const { last_message, ...rest } = conversation
      assert.deepEqual(
        rest,
        JSON.parse(
          JSON.stringify({
            id: talk.id,
            kind,
            title,
            peer,
            member_count,
            role: talk.pair || isLeft ? undefined : stay?.isOwner ? 'owner' : 'member',
            unread_count: model.unread(talk, who),
            delivered_up_to: marks.delivered,
            read_up_to: marks.read,
            peer_delivered_up_to: peerMarks?.delivered,
            peer_read_up_to: peerMarks?.read,
          }),
        ),
        `the conversation ${talk.id} of ${who}`,
      )
      assert.equal(last_message?.id, visible.at(-1)?.id)
      const { body: messages } = await this.#host.call<Message[]>(
        token,
        'GET',
        `/conversations/${talk.id}/messages?limit=1000`,
      )
      assert.deepEqual(
        messages.map(({ id }) => id),
        visible.map(({ id }) => id),
      )
      for (const [index, note] of visible.entries())
        this.#compareMessage(who, messages[index] as Message, note)
    }
  }
}

type Door = { who: string; overSocket: boolean }

const at = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length]

const sorted = <T>(map: Map<number, T>) => new Map([...map].sort(([a], [b]) => a - b))
