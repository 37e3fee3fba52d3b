import assert from 'node:assert/strict'
import type { ConversationList } from '../../schemas/conversation.ts'
import type { Message } from '../../schemas/message.ts'
import type { Requests } from './requests.ts'
import type { Chat, Entry, State } from './state.ts'
import type { View, ViewedConversation } from './view.ts'

/** Compares the state of a device with the model. Without `withMarks` receipts can still wait for their publication. */
export const compareView = (model: State, who: string, view: View, withMarks: boolean) => {
  const seen = model.entries.filter((entry) => model.wasMember(entry.chat, who, entry.at))
  const had = seen.filter((entry) => view.messages.has(entry.id) || !model.mayMiss(entry, who))
  assert.deepEqual(
    [...view.messages.keys()],
    had.map(({ id }) => id),
    `the messages of ${who}`,
  )
  for (const entry of had) {
    // A member reads changes made during an absence from the history. They are not published later.
    if (entry.changed !== undefined && !model.wasMember(entry.chat, who, entry.changed)) continue
    compareMessage(who, view.messages.get(entry.id) as Message, entry)
  }
  const conversations = model
    .chatsOf(who)
    .map((chat): [number, ViewedConversation] => [chat.id, viewedConversation(model, who, chat)])
  assert.deepEqual(
    sorted(view.conversations),
    new Map(conversations.sort(([a], [b]) => a - b)),
    `the conversations of ${who}`,
  )
  if (withMarks) for (const chat of model.chatsOf(who)) compareMarks(model, who, chat, view)
}

const viewedConversation = (model: State, who: string, chat: Chat): ViewedConversation => {
  if (chat.pair) {
    const peer = chat.pair.find((name) => name !== who) ?? who
    return { kind: 'direct', title: undefined, peer, member_count: chat.pair.length, isLeft: false }
  }
  const { title, count } = model.period(chat, who)?.atEnd ?? {
    title: chat.title,
    count: model.present(chat).length,
  }
  return {
    kind: 'group',
    title,
    peer: undefined,
    member_count: count,
    isLeft: !model.isIn(chat, who),
  }
}

const compareMessage = (who: string, message: Message, entry: Entry) => {
  const peer = entry.chat.pair && (entry.chat.pair.find((name) => name !== entry.sender) ?? entry.sender)
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
      content: entry.content,
      sender: entry.sender,
      receiver: peer,
      conversation_id: entry.chat.id,
      client_id: entry.sender === who ? entry.client_id : undefined,
      reply_to: entry.reply_to,
      isEdited: entry.isEdited,
      isDeleted: entry.isDeleted,
    },
    `message ${entry.id} for ${who}`,
  )
}

const compareMarks = (model: State, who: string, chat: Chat, view: View) => {
  const mine = model.period(chat, who)
  for (const other of new Set(chat.periods.map((period) => period.who))) {
    const period = model.period(chat, other)
    const known = view.marks.get(`${chat.id}:${other}`) ?? { delivered: 0, read: 0 }
    const { delivered, read } = period as { delivered: number; read: number }
    // Marks of others are published while both are members, and hidden during a block.
    const isPublished =
      other === who ||
      (model.isIn(chat, who) && period && mine && period.moved >= mine.from && model.isIn(chat, other))
    const isHidden = other !== who && model.isBlocked(chat)
    if (isPublished && !isHidden)
      assert.deepEqual(known, { delivered, read }, `the marks of ${other} for ${who}`)
    const most = model.shownMarks(chat, who, other)
    assert(
      known.delivered <= most.delivered && known.read <= most.read,
      `${who} knows later marks of ${other} than allowed`,
    )
  }
}

/** Compares the conversation list and the histories of a user with the model. */
export const compareLists = async (model: State, requests: Requests, who: string) => {
  const { body } = await requests.call<ConversationList>(who, 'GET', '/conversations?limit=1000')
  assert.deepEqual(
    body.conversations.map(({ id }) => id).sort((a, b) => a - b),
    model
      .chatsOf(who)
      .map(({ id }) => id)
      .sort((a, b) => a - b),
  )
  for (const conversation of body.conversations) {
    const chat = model.chats.find(({ id }) => id === conversation.id) as Chat
    const visible = model.entries.filter((entry) => entry.chat === chat && model.canSee(entry, who))
    const period = model.period(chat, who)
    const { kind, title, peer, member_count, isLeft } = viewedConversation(model, who, chat)
    const marks = model.shownMarks(chat, who, who)
    const peerMarks = chat.pair && peer !== who ? model.shownMarks(chat, who, peer as string) : undefined
    const { last_message, ...rest } = conversation
    assert.deepEqual(
      rest,
      JSON.parse(
        JSON.stringify({
          id: chat.id,
          kind,
          title,
          peer,
          member_count,
          role: chat.pair || isLeft ? undefined : period?.isOwner ? 'owner' : 'member',
          unread_count: model.unread(chat, who),
          delivered_up_to: marks.delivered,
          read_up_to: marks.read,
          peer_delivered_up_to: peerMarks?.delivered,
          peer_read_up_to: peerMarks?.read,
        }),
      ),
      `the conversation ${chat.id} of ${who}`,
    )
    assert.equal(last_message?.id, visible.at(-1)?.id)
    const { body: messages } = await requests.call<Message[]>(
      who,
      'GET',
      `/conversations/${chat.id}/messages?limit=1000`,
    )
    assert.deepEqual(
      messages.map(({ id }) => id),
      visible.map(({ id }) => id),
    )
    for (const [index, entry] of visible.entries()) compareMessage(who, messages[index] as Message, entry)
  }
}

const sorted = <T>(map: Map<number, T>) => new Map([...map].sort(([a], [b]) => a - b))
