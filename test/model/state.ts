export type Marks = { delivered: number; read: number }

export type Period = Marks & {
  who: string
  from: number
  to: number
  isOwner: boolean
  /** Time of the last change of the marks. */
  moved: number
  /** Title and member count that a former member keeps. */
  atEnd?: { title: string; count: number }
}

export type Chat = {
  id: number
  /** The users of a direct conversation: two, or one for messages to oneself. */
  pair: readonly string[] | undefined
  title: string
  periods: Period[]
  created: number
  /** The marks that each user sees of the other during a block. */
  frozen: Map<string, Marks> | undefined
}

export type Entry = {
  id: number
  at: number
  chat: Chat
  sender: string
  content: string
  /** The content of the first send, by which a retry is recognised. */
  original: string
  client_id: string | undefined
  reply_to: number | undefined
  isEdited: boolean
  isDeleted: boolean
  changed: number | undefined
  /** Times of all edits and the deletion. */
  changes: number[]
}

/** All that happened on the server, and what each user must see of it. `now` is the clock of the model. */
export class State {
  readonly users: readonly string[]
  readonly chats: Chat[] = []
  readonly entries: Entry[] = []
  readonly blocks = new Set<string>()
  now = 0

  constructor(users: readonly string[]) {
    this.users = users
  }

  period(chat: Chat, who: string): Period | undefined {
    return chat.periods.findLast((period) => period.who === who)
  }

  isIn(chat: Chat, who: string): boolean {
    return this.period(chat, who)?.to === Number.POSITIVE_INFINITY
  }

  present(chat: Chat): Period[] {
    return chat.periods.filter(({ to }) => to === Number.POSITIVE_INFINITY)
  }

  chatsOf(who: string): Chat[] {
    return this.chats.filter((chat) => this.period(chat, who))
  }

  entriesOf(sender: string): Entry[] {
    return this.entries.filter((entry) => entry.sender === sender)
  }

  direct(a: string, b: string): Chat | undefined {
    return this.chats.find(
      ({ pair }) => pair?.includes(a) && pair.includes(b) && (a !== b || pair.length === 1),
    )
  }

  isBlocking(blocker: string, blocked: string): boolean {
    return this.blocks.has(`${blocker}>${blocked}`)
  }

  isBlocked(chat: Chat): boolean {
    const [a, b] = chat.pair ?? []
    return a !== undefined && b !== undefined && (this.isBlocking(a, b) || this.isBlocking(b, a))
  }

  /** Whether a user was a member at the time `at`. */
  wasMember(chat: Chat, who: string, at: number): boolean {
    return chat.periods.some((period) => period.who === who && period.from <= at && at <= period.to)
  }

  /** Whether a message is hidden from a former member, because it changed after the end of the membership period. */
  isHidden(entry: Entry, who: string): boolean {
    return entry.changed !== undefined && entry.changed > (this.period(entry.chat, who)?.to ?? 0)
  }

  canSee = (entry: Entry, who: string) =>
    this.wasMember(entry.chat, who, entry.at) && !this.isHidden(entry, who)

  /** Whether a device of a user can lack a message, because it resumed while the message was hidden. */
  mayMiss = (entry: Entry, who: string) => entry.changes.some((at) => !this.wasMember(entry.chat, who, at))

  newest(chat: Chat): number {
    return this.entries.findLast((entry) => entry.chat === chat)?.id ?? 0
  }

  /** The marks of `other` that `viewer` sees. */
  shownMarks(chat: Chat, viewer: string, other: string): Marks {
    const { delivered, read } = this.period(chat, other) as Period
    return (viewer !== other && chat.frozen?.get(other)) || { delivered, read }
  }

  unread(chat: Chat, who: string): number {
    const period = this.period(chat, who) as Period
    return this.entries.filter(
      (entry) =>
        entry.chat === chat &&
        entry.sender !== who &&
        !entry.isDeleted &&
        !this.isHidden(entry, who) &&
        entry.id > period.read &&
        entry.at >= period.from &&
        entry.at <= period.to,
    ).length
  }
}
