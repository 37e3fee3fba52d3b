import type { Message } from '../../schemas/message.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { type Chat, type Entry, type Marks, type Period, State } from './state.ts'

/** The result of a call: success or an error code. */
export type ResultCode = 'ok' | ErrorCode

export type Target = { receiver: string } | { chat: Chat }

/** A sequential in-memory model of the server: who may do what, and what it changes. It takes the ids from the replies of the server. */
export class Model extends State {
  /** Whether a user can act in a conversation: `ok` or the error code. */
  access(chat: Chat, who: string): ResultCode {
    if (!this.period(chat, who)) return 'CONVERSATION_NOT_FOUND'
    return this.isIn(chat, who) ? 'ok' : 'FORBIDDEN'
  }

  maySend(sender: string, target: Target, reply_to: number | undefined): ResultCode {
    const chat = 'chat' in target ? target.chat : this.direct(sender, target.receiver)
    if ('chat' in target) {
      const access = this.access(target.chat, sender)
      if (access !== 'ok') return access
    }
    const peer = 'receiver' in target ? target.receiver : undefined
    if (
      chat ? this.isBlocked(chat) : peer && (this.isBlocking(sender, peer) || this.isBlocking(peer, sender))
    ) {
      return 'BLOCKED'
    }
    if (reply_to === undefined) return 'ok'
    const original = this.entries.find(({ id }) => id === reply_to)
    return chat && original?.chat === chat && this.canSee(original, sender) ? 'ok' : 'MESSAGE_NOT_FOUND'
  }

  sent(sender: string, target: Target, reply: Message): Entry {
    const chat =
      'chat' in target
        ? target.chat
        : (this.direct(sender, target.receiver) ?? this.#createDirect(sender, target.receiver, reply))
    const { id, content, client_id, reply_to } = reply
    const entry = {
      id,
      at: ++this.now,
      chat,
      sender,
      content,
      original: content,
      client_id,
      reply_to,
      isEdited: false,
      isDeleted: false,
      changed: undefined,
      changes: [],
    }
    this.entries.push(entry)
    return entry
  }

  #createDirect(a: string, b: string, { conversation_id }: Message): Chat {
    const pair = a === b ? [a] : [a, b]
    const created = ++this.now
    const periods = pair.map((who) => newPeriod(who, created, false))
    const chat = { id: conversation_id, pair, title: '', periods, created, frozen: undefined }
    this.chats.push(chat)
    return chat
  }

  mayChange(who: string, entry: Entry, isEdit: boolean): ResultCode {
    if (!this.canSee(entry, who)) return 'MESSAGE_NOT_FOUND'
    if (entry.sender !== who || !this.isIn(entry.chat, who)) return 'FORBIDDEN'
    if (isEdit && this.isBlocked(entry.chat)) return 'BLOCKED'
    return isEdit && entry.isDeleted ? 'MESSAGE_DELETED' : 'ok'
  }

  edited(entry: Entry, content: string) {
    if (entry.content === content) return
    Object.assign(entry, { content, isEdited: true, changed: ++this.now })
    entry.changes.push(this.now)
  }

  deleted(entry: Entry) {
    if (entry.isDeleted) return
    Object.assign(entry, { content: '', isDeleted: true, changed: ++this.now })
    entry.changes.push(this.now)
  }

  marked(chat: Chat, who: string, { delivered, read }: Partial<Marks>): Marks {
    const period = this.period(chat, who) as Period
    const clamp = (mark = 0) => Math.min(mark, this.newest(chat))
    const isRead = Math.max(period.read, clamp(read))
    const isDelivered = Math.max(period.delivered, clamp(delivered), isRead)
    if (isRead !== period.read || isDelivered !== period.delivered) {
      Object.assign(period, { read: isRead, delivered: isDelivered, moved: ++this.now })
    }
    return { delivered: isDelivered, read: isRead }
  }

  mayCreate(owner: string, members: readonly string[]): ResultCode {
    return members.some((who) => this.isBlocking(who, owner)) ? 'BLOCKED' : 'ok'
  }

  created(owner: string, members: readonly string[], title: string, id: number) {
    const created = ++this.now
    const all = [...new Set([owner, ...members])].sort(
      (a, b) => this.users.indexOf(a) - this.users.indexOf(b),
    )
    const periods = all.map((who) => newPeriod(who, created, who === owner))
    this.chats.push({ id, pair: undefined, title, periods, created, frozen: undefined })
  }

  mayManage(chat: Chat, who: string): ResultCode {
    const access = this.access(chat, who)
    if (access !== 'ok') return access
    if (chat.pair) return 'CONVERSATION_NOT_FOUND'
    return this.period(chat, who)?.isOwner ? 'ok' : 'FORBIDDEN'
  }

  renamed(chat: Chat, title: string) {
    if (chat.title === title) return
    chat.title = title
    this.now += 1
  }

  mayAdd(chat: Chat, who: string, joiner: string): ResultCode {
    const own = this.mayManage(chat, who)
    if (own !== 'ok' || this.isIn(chat, joiner)) return own
    return this.isBlocking(joiner, who) ? 'BLOCKED' : 'ok'
  }

  added(chat: Chat, joiner: string) {
    if (this.isIn(chat, joiner)) return
    const earlier = this.period(chat, joiner)
    chat.periods.push({
      ...newPeriod(joiner, ++this.now, false),
      delivered: earlier?.delivered ?? 0,
      read: earlier?.read ?? 0,
    })
  }

  maySetRole(chat: Chat, who: string, member: string, isOwner: boolean): ResultCode {
    const may = this.mayAdd(chat, who, member)
    if (may !== 'ok' || isOwner || !this.isIn(chat, member)) return may
    const owners = this.present(chat).filter((period) => period.isOwner)
    return owners.length === 1 && owners[0]?.who === member ? 'FORBIDDEN' : 'ok'
  }

  roleSet(chat: Chat, member: string, isOwner: boolean) {
    this.added(chat, member)
    const period = this.period(chat, member) as Period
    if (period.isOwner === isOwner) return
    period.isOwner = isOwner
    this.now += 1
  }

  mayRemove(chat: Chat, who: string, leaver: string): ResultCode {
    const may = who === leaver && !chat.pair ? this.access(chat, who) : this.mayManage(chat, who)
    if (may !== 'ok') return may
    return this.isIn(chat, leaver) ? 'ok' : 'USER_NOT_FOUND'
  }

  removed(chat: Chat, leaver: string) {
    const period = this.period(chat, leaver) as Period
    const others = this.present(chat).filter((other) => other !== period)
    const [heir] = others
    if (period.isOwner && heir && !others.some(({ isOwner }) => isOwner)) heir.isOwner = true
    Object.assign(period, {
      to: ++this.now,
      isOwner: false,
      atEnd: { title: chat.title, count: others.length },
    })
  }

  blocked(blocker: string, blocked: string) {
    const chat = this.direct(blocker, blocked)
    if (chat && !this.isBlocked(chat)) {
      chat.frozen = new Map(chat.periods.map(({ who, delivered, read }) => [who, { delivered, read }]))
    }
    this.blocks.add(`${blocker}>${blocked}`)
  }

  unblocked(blocker: string, blocked: string) {
    this.blocks.delete(`${blocker}>${blocked}`)
    const chat = this.direct(blocker, blocked)
    if (chat && !this.isBlocked(chat)) chat.frozen = undefined
  }
}

const newPeriod = (who: string, from: number, isOwner: boolean): Period => ({
  who,
  from,
  to: Number.POSITIVE_INFINITY,
  isOwner,
  delivered: 0,
  read: 0,
  moved: 0,
})
