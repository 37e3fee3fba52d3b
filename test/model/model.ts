import type { Message } from '../../schemas/message.ts'
import type { ErrorCode } from '../../src/errors.ts'

/** What a call comes to: it is done, or refused with a code. */
export type Verdict = 'ok' | ErrorCode

export type Marks = { delivered: number; read: number }

export type Stay = Marks & {
  who: string
  from: number
  to: number
  isOwner: boolean
  /** When the marks moved last. */
  moved: number
  /** What one who left goes on knowing. */
  atEnd?: { title: string; count: number }
}

export type Talk = {
  id: number
  /** The two of a direct one, or once the one who takes notes. */
  pair: readonly string[] | undefined
  title: string
  stays: Stay[]
  made: number
  /** What each sees of the other's marks while a block stands between the two. */
  frozen: Map<string, Marks> | undefined
}

export type Note = {
  id: number
  at: number
  talk: Talk
  sender: string
  content: string
  /** As first sent: a repeat is told by it. */
  original: string
  client_id: string | undefined
  reply_to: number | undefined
  isEdited: boolean
  isDeleted: boolean
  changed: number | undefined
  /** All of its changes. */
  changes: number[]
}

export type Target = { receiver: string } | { talk: Talk }

/**
 * The messenger as DESIGN.md tells it, in memory and one thing after the other: who is where, who may do what, and what
 * everybody should know in the end. It has a clock of its own (`now`), and takes the ids from the server's answers.
 */
export class Model {
  readonly people: readonly string[]
  readonly talks: Talk[] = []
  readonly notes: Note[] = []
  readonly blocks = new Set<string>()
  now = 0

  constructor(people: readonly string[]) {
    this.people = people
  }

  stay(talk: Talk, who: string): Stay | undefined {
    return talk.stays.findLast((stay) => stay.who === who)
  }

  isIn(talk: Talk, who: string): boolean {
    return this.stay(talk, who)?.to === Number.POSITIVE_INFINITY
  }

  present(talk: Talk): Stay[] {
    return talk.stays.filter(({ to }) => to === Number.POSITIVE_INFINITY)
  }

  talksOf(who: string): Talk[] {
    return this.talks.filter((talk) => this.stay(talk, who))
  }

  direct(a: string, b: string): Talk | undefined {
    return this.talks.find(
      ({ pair }) => pair?.includes(a) && pair.includes(b) && (a !== b || pair.length === 1),
    )
  }

  isBlocking(blocker: string, blocked: string): boolean {
    return this.blocks.has(`${blocker}>${blocked}`)
  }

  isBlocked(talk: Talk): boolean {
    const [a, b] = talk.pair ?? []
    return a !== undefined && b !== undefined && (this.isBlocking(a, b) || this.isBlocking(b, a))
  }

  /** Whether something at `at` lies in one of somebody's stays. */
  wasThere(talk: Talk, who: string, at: number): boolean {
    return talk.stays.some((stay) => stay.who === who && stay.from <= at && at <= stay.to)
  }

  /** Changes that were made after somebody had left are hidden, with the message, until that one is back. */
  isHidden(note: Note, who: string): boolean {
    return note.changed !== undefined && note.changed > (this.stay(note.talk, who)?.to ?? 0)
  }

  canSee = (note: Note, who: string) => this.wasThere(note.talk, who, note.at) && !this.isHidden(note, who)

  /** Whether a device of somebody may not have a message: it may have come back while the message was hidden. */
  mayMiss = (note: Note, who: string) => note.changes.some((at) => !this.wasThere(note.talk, who, at))

  newest(talk: Talk): number {
    return this.notes.findLast((note) => note.talk === talk)?.id ?? 0
  }

  /** What keeps somebody from acting in a conversation. */
  place(talk: Talk, who: string): Verdict {
    if (!this.stay(talk, who)) return 'CONVERSATION_NOT_FOUND'
    return this.isIn(talk, who) ? 'ok' : 'FORBIDDEN'
  }

  maySend(sender: string, target: Target, reply_to: number | undefined): Verdict {
    const talk = 'talk' in target ? target.talk : this.direct(sender, target.receiver)
    if ('talk' in target) {
      const place = this.place(target.talk, sender)
      if (place !== 'ok') return place
    }
    const peer = 'receiver' in target ? target.receiver : undefined
    if (
      talk ? this.isBlocked(talk) : peer && (this.isBlocking(sender, peer) || this.isBlocking(peer, sender))
    ) {
      return 'BLOCKED'
    }
    if (reply_to === undefined) return 'ok'
    const original = this.notes.find(({ id }) => id === reply_to)
    return talk && original?.talk === talk && this.canSee(original, sender) ? 'ok' : 'MESSAGE_NOT_FOUND'
  }

  sent(sender: string, target: Target, answer: Message): Note {
    const talk =
      'talk' in target
        ? target.talk
        : (this.direct(sender, target.receiver) ?? this.#begin(sender, target.receiver, answer))
    const { id, content, client_id, reply_to } = answer
    const note = {
      id,
      at: ++this.now,
      talk,
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
    this.notes.push(note)
    return note
  }

  #begin(a: string, b: string, { conversation_id }: Message): Talk {
    const pair = a === b ? [a] : [a, b]
    const made = ++this.now
    const stays = pair.map((who) => newStay(who, made, false))
    const talk = { id: conversation_id, pair, title: '', stays, made, frozen: undefined }
    this.talks.push(talk)
    return talk
  }

  mayChange(who: string, note: Note, isEdit: boolean): Verdict {
    if (!this.canSee(note, who)) return 'MESSAGE_NOT_FOUND'
    if (note.sender !== who || !this.isIn(note.talk, who)) return 'FORBIDDEN'
    if (isEdit && this.isBlocked(note.talk)) return 'BLOCKED'
    return isEdit && note.isDeleted ? 'MESSAGE_DELETED' : 'ok'
  }

  edited(note: Note, content: string) {
    if (note.content === content) return
    Object.assign(note, { content, isEdited: true, changed: ++this.now })
    note.changes.push(this.now)
  }

  deleted(note: Note) {
    if (note.isDeleted) return
    Object.assign(note, { content: '', isDeleted: true, changed: ++this.now })
    note.changes.push(this.now)
  }

  marked(talk: Talk, who: string, { delivered, read }: Partial<Marks>): Marks {
    const stay = this.stay(talk, who) as Stay
    const clamp = (mark = 0) => Math.min(mark, this.newest(talk))
    const isRead = Math.max(stay.read, clamp(read))
    const isDelivered = Math.max(stay.delivered, clamp(delivered), isRead)
    if (isRead !== stay.read || isDelivered !== stay.delivered) {
      Object.assign(stay, { read: isRead, delivered: isDelivered, moved: ++this.now })
    }
    return { delivered: isDelivered, read: isRead }
  }

  mayMake(owner: string, members: readonly string[]): Verdict {
    return members.some((who) => this.isBlocking(who, owner)) ? 'BLOCKED' : 'ok'
  }

  made(owner: string, members: readonly string[], title: string, id: number) {
    const made = ++this.now
    const all = [...new Set([owner, ...members])].sort(
      (a, b) => this.people.indexOf(a) - this.people.indexOf(b),
    )
    const stays = all.map((who) => newStay(who, made, who === owner))
    this.talks.push({ id, pair: undefined, title, stays, made, frozen: undefined })
  }

  mayOwn(talk: Talk, who: string): Verdict {
    const place = this.place(talk, who)
    if (place !== 'ok') return place
    if (talk.pair) return 'CONVERSATION_NOT_FOUND'
    return this.stay(talk, who)?.isOwner ? 'ok' : 'FORBIDDEN'
  }

  renamed(talk: Talk, title: string) {
    if (talk.title === title) return
    talk.title = title
    this.now += 1
  }

  mayAdd(talk: Talk, who: string, joining: string): Verdict {
    const own = this.mayOwn(talk, who)
    if (own !== 'ok' || this.isIn(talk, joining)) return own
    return this.isBlocking(joining, who) ? 'BLOCKED' : 'ok'
  }

  added(talk: Talk, joining: string) {
    if (this.isIn(talk, joining)) return
    const earlier = this.stay(talk, joining)
    talk.stays.push({
      ...newStay(joining, ++this.now, false),
      delivered: earlier?.delivered ?? 0,
      read: earlier?.read ?? 0,
    })
  }

  mayRemove(talk: Talk, who: string, leaving: string): Verdict {
    const may = who === leaving && !talk.pair ? this.place(talk, who) : this.mayOwn(talk, who)
    if (may !== 'ok') return may
    return this.isIn(talk, leaving) ? 'ok' : 'USER_NOT_FOUND'
  }

  removed(talk: Talk, leaving: string) {
    const stay = this.stay(talk, leaving) as Stay
    const others = this.present(talk).filter((other) => other !== stay)
    const [heir] = others
    if (stay.isOwner && heir) heir.isOwner = true
    Object.assign(stay, {
      to: ++this.now,
      isOwner: false,
      atEnd: { title: talk.title, count: others.length },
    })
  }

  blocked(blocker: string, blocked: string) {
    const talk = this.direct(blocker, blocked)
    if (talk && !this.isBlocked(talk)) {
      talk.frozen = new Map(talk.stays.map(({ who, delivered, read }) => [who, { delivered, read }]))
    }
    this.blocks.add(`${blocker}>${blocked}`)
  }

  unblocked(blocker: string, blocked: string) {
    this.blocks.delete(`${blocker}>${blocked}`)
    const talk = this.direct(blocker, blocked)
    if (talk && !this.isBlocked(talk)) talk.frozen = undefined
  }

  /** The marks of `other` that `viewer` is shown. */
  shownMarks(talk: Talk, viewer: string, other: string): Marks {
    const { delivered, read } = this.stay(talk, other) as Stay
    return (viewer !== other && talk.frozen?.get(other)) || { delivered, read }
  }

  unread(talk: Talk, who: string): number {
    const stay = this.stay(talk, who) as Stay
    return this.notes.filter(
      (note) =>
        note.talk === talk &&
        note.sender !== who &&
        !note.isDeleted &&
        !this.isHidden(note, who) &&
        note.id > stay.read &&
        note.at >= stay.from &&
        note.at <= stay.to,
    ).length
  }
}

const newStay = (who: string, from: number, isOwner: boolean): Stay => ({
  who,
  from,
  to: Number.POSITIVE_INFINITY,
  isOwner,
  delivered: 0,
  read: 0,
  moved: 0,
})
