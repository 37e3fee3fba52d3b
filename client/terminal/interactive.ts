import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Conversation, type Message, type Messenger, unwrap } from '../src/index.ts'
import { conversationLine, conversationName, messageLine, plainText, userName } from './format.ts'
import { addressOf, whenStopped } from './send-lines.ts'

const HELP = `/to NAME   set the receiver: the name of a user, or #3 for the conversation with the id 3
/list      list your conversations
/name NAME set your display name; without NAME remove it
/history   show the last messages of this conversation
/quit      end the program
All other lines are sent as messages.`

const NO_RECEIVER = '(no receiver: set one with /to NAME)'

/** Number of messages that `/history` shows. */
const HISTORY = 20

/**
 * Shows new messages, and sends each line of the input or runs it as a command. Resolves at the end of the input, when
 * all messages are stored, or at once after `/quit`.
 * @param to the first receiver: the name of a user, or `#3` for the conversation with the id 3.
 */
export const runInteractive = async (messenger: Messenger, to: string | undefined): Promise<void> => {
  const { stdin: input, stdout: output } = process
  const lines = createInterface({ input, output, terminal: input.isTTY, prompt: '> ' })
  const titles = new Map<number, string | undefined>()
  const sending = new Set<Promise<unknown>>()
  let receiver = to
  let isQuitting = false
  let shown = Promise.resolve()

  const print = (text: string) => {
    // Prints above the line that is being typed.
    /* c8 ignore next -- only on a terminal */
    if (input.isTTY) output.write('\r\u001b[K')
    output.write(`${text}\n`)
    /* c8 ignore next -- only on a terminal */
    if (input.isTTY) lines.prompt(true)
  }
  const report = (what: string) => (error: Error) => print(`(${what}: ${plainText(error.message)})`)
  const showUser = (username: string) => userName(username, messenger.profiles.peek(username))
  const nameOf = ({ receiver, conversation_id }: Message) =>
    conversationName({ id: conversation_id, peer: receiver, title: titles.get(conversation_id) }, showUser)

  /** Shows a message after those before it, once the display names are known. */
  const show = (message: Message) => {
    const usernames = [message.sender, message.receiver ?? message.sender]
    const known = Promise.allSettled(usernames.map((username) => messenger.profiles.get(username)))
    shown = shown.then(() => known).then(() => showNow(message))
  }
  const showNow = (message: Message) => {
    const { conversation_id, id, sender } = message
    const isMine = sender === messenger.hello?.user.username
    const isNamed = isMine || message.receiver === undefined
    print(messageLine(message, isNamed ? nameOf(message) : showUser(sender), showUser))
    if (!isMine) messenger.mark(conversation_id, { read_up_to: id }).catch(() => {})
  }
  const addNames = async (conversations: readonly Conversation[]) => {
    for (const { id, title, peer, peer_profile } of conversations) {
      titles.set(id, title)
      if (peer !== undefined) messenger.profiles.set(peer, peer_profile)
    }
    const senders = conversations.flatMap(({ last_message }) => last_message?.sender ?? [])
    await Promise.allSettled(senders.map((username) => messenger.profiles.get(username)))
  }

  const list = async () => {
    const { conversations } = await unwrap(
      messenger.api.GET('/conversations', { params: { query: { limit: 50 } } }),
    )
    await addNames(conversations)
    print(
      conversations.length > 0
        ? conversations.map((one) => conversationLine(one, showUser)).join('\n')
        : '(no conversations yet)',
    )
  }
  const history = async () => {
    if (receiver === undefined) {
      print(NO_RECEIVER)
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
    await shown
  }
  const setName = async (name: string) => {
    const { display_name } = await messenger.updateProfile({ display_name: name || null })
    print(display_name === undefined ? '(no display name)' : `(your name: ${plainText(display_name)})`)
  }
  const send = (content: string) => {
    if (receiver === undefined) {
      print(NO_RECEIVER)
      return
    }
    const sent = messenger
      .send({ ...addressOf(receiver), content })
      .catch(report('not sent'))
      .finally(() => sending.delete(sent))
    sending.add(sent)
  }

  const quit = () => {
    isQuitting = true
    lines.close()
  }

  const commands: Record<string, (argument: string) => unknown> = {
    '/to': (name) => {
      receiver = name
      print(`(receiver: ${plainText(name)})`)
    },
    '/name': (name) => setName(name.trim()).catch(report('not saved')),
    '/list': () => list().catch(report('not loaded')),
    '/history': () => history().catch(report('not loaded')),
    '/quit': () => quit(),
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
    list().catch(report('not loaded'))
  })
  const stopped = whenStopped(messenger).then(report('stopped'))

  lines.on('SIGINT', quit)
  const closed = once(lines, 'close')
  let handled = list().catch(report('not loaded'))
  lines.on('line', (line) => {
    // A line waits for the command before it: after `/to` it goes to the new receiver.
    handled = handled.then(() => handle(line))
  })
  await closed
  await handled
  // After the end of the input, unlike after `/quit`, all messages must be stored.
  if (!isQuitting) await Promise.race([Promise.all(sending).then(() => shown), stopped])
}
