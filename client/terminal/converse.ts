import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Conversation, type Message, type Messenger, unwrap } from '../src/index.ts'
import { addressOf, whenStopped } from './lines.ts'
import { conversationLine, messageLine, nameOf, plain } from './show.ts'

const HELP = `/to NAME   write to a person, or to #3, the conversation with that id
/list      your conversations
/history   what was said last where you are
/quit      go
Anything else is sent.`

/** Messages that `/history` shows. */
const HISTORY = 20

/** Shows what comes and sends what is typed, until the input ends or `/quit`. */
export const converse = async (messenger: Messenger, to: string | undefined): Promise<void> => {
  const { stdin: input, stdout: output } = process
  const lines = createInterface({ input, output, terminal: input.isTTY, prompt: '> ' })
  const titles = new Map<number, string | undefined>()
  const sending = new Set<Promise<unknown>>()
  let receiver = to
  let isLeaving = false

  const print = (text: string) => {
    // What is being typed stays, below what came.
    /* c8 ignore next -- only on a terminal */
    if (input.isTTY) output.write('\r\u001b[K')
    output.write(`${text}\n`)
    /* c8 ignore next -- only on a terminal */
    if (input.isTTY) lines.prompt(true)
  }
  const failed = (what: string) => (error: Error) => print(`(${what}: ${plain(error.message)})`)
  const placeOf = ({ receiver, conversation_id }: Message) =>
    nameOf({ id: conversation_id, peer: receiver, title: titles.get(conversation_id) })

  const show = (message: Message) => {
    const { conversation_id, id, sender } = message
    const isMine = sender === messenger.hello?.user.username
    const place = placeOf(message)
    print(messageLine(message, isMine || message.receiver === undefined ? place : plain(sender)))
    if (!isMine) messenger.mark(conversation_id, { read_up_to: id }).catch(() => {})
  }
  const know = (conversations: readonly Conversation[]) => {
    for (const { id, title } of conversations) titles.set(id, title)
  }

  const list = async () => {
    const { conversations } = await unwrap(
      messenger.api.GET('/conversations', { params: { query: { limit: 50 } } }),
    )
    know(conversations)
    print(
      conversations.length > 0 ? conversations.map(conversationLine).join('\n') : '(no conversations yet)',
    )
  }
  const history = async () => {
    if (receiver === undefined) {
      print('(first /to somebody)')
      return
    }
    const { receiver_username: username = '', conversation_id } = addressOf(receiver)
    const query = { limit: HISTORY }
    const messages = await unwrap(
      conversation_id === undefined
        ? messenger.api.GET('/history/{username}', { params: { path: { username }, query } })
        : messenger.api.GET('/conversations/{id}/messages', {
            params: { path: { id: conversation_id }, query },
          }),
    )
    for (const message of messages) show(message)
  }
  const send = (content: string) => {
    if (receiver === undefined) {
      print('(to whom? /to NAME, or /help)')
      return
    }
    const sent = messenger
      .send({ ...addressOf(receiver), content })
      .catch(failed('not sent'))
      .finally(() => sending.delete(sent))
    sending.add(sent)
  }

  const leave = () => {
    isLeaving = true
    lines.close()
  }

  const commands: Record<string, (argument: string) => unknown> = {
    '/to': (name) => {
      receiver = name
      print(`(to ${plain(name)})`)
    },
    '/list': () => list().catch(failed('not loaded')),
    '/history': () => history().catch(failed('not loaded')),
    '/quit': () => leave(),
    '/help': () => print(HELP),
  }
  const handle = async (line: string) => {
    if (line === '') return
    const [word = '', ...rest] = line.split(' ')
    const command = commands[word]
    if (command) await command(rest.join(' '))
    else if (word.startsWith('/')) print(HELP)
    else send(line)
  }

  messenger.on('message', show)
  messenger.on('message_updated', show)
  messenger.on('conversation', ({ conversation_id, title }) => {
    titles.set(conversation_id, title)
  })
  messenger.on('reset', () => {
    list().catch(failed('not loaded'))
  })
  const stopped = whenStopped(messenger).then(failed('stopped'))

  lines.on('SIGINT', leave)
  const closed = once(lines, 'close')
  let handled = list().catch(failed('not loaded'))
  lines.on('line', (line) => {
    // One after the other: what follows `/to` is for the one who was named.
    handled = handled.then(() => handle(line))
  })
  await closed
  await handled
  // At the end of the input, unlike on the way out, what was typed is still to be stored.
  if (!isLeaving) await Promise.race([Promise.all(sending), stopped])
}
