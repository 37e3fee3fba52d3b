import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { freePort, startProcess } from '../support/process.ts'
import { login, startServer, temporaryFolder } from '../support/server.ts'
import { startProxy } from '../support/unreliable-proxy.ts'

const entry = fileURLToPath(new URL('../../client/terminal/chat.ts', import.meta.url))

/** Starts the terminal client as `npm run chat` does. */
const startChat = (t: Test, url: string, args: string[], env: Record<string, string> = {}) => {
  const child: ChildProcessWithoutNullStreams = spawn(process.execPath, [entry, '--server', url, ...args], {
    env: { ...process.env, ...env },
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  let notify = () => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
      notify()
    })
  }
  const exited = once(child, 'close').then(([code]) => code as number)
  return {
    child,
    exited,
    type: (line: string) => child.stdin.write(`${line}\n`),
    output: () => output,
    /** Waits until it has said this; what comes after is for the next. */
    async says(text: string) {
      for (;;) {
        const at = output.indexOf(text)
        if (at >= 0) {
          output = output.slice(at + text.length)
          return
        }
        await new Promise<void>((resolve) => {
          notify = resolve
        })
      }
    },
  }
}

t.test(
  'each line that comes through a pipe is a message, and the exit says that all are stored',
  async (t) => {
    const { url, login } = await startServer(t)
    const bob = await login('bob')
    const chat = startChat(t, url, ['alice', '--to', 'bob'])
    chat.child.stdin.end('hello\n\nworld\n')
    t.equal(await chat.exited, 0)
    t.equal(chat.output(), '')
    const messages = await bob.history('alice')
    t.match(
      messages.map(({ content }) => content),
      ['hello', 'world'],
    )
    const byId = startChat(t, url, ['alice', '--to', `#${messages[0]?.conversation_id}`])
    byId.child.stdin.end('!')
    t.equal(await byId.exited, 0)

    const refused = startChat(t, url, ['alice', '--to', 'nobody'])
    refused.child.stdin.end('hello\n')
    t.equal(await refused.exited, 1)
    t.match(refused.output(), /USER_NOT_FOUND/)

    const aimless = startChat(t, url, ['alice'])
    t.equal(await aimless.exited, 1)
    t.match(aimless.output(), /--to/)
  },
)

t.test('two people talk', async (t) => {
  const { url } = await startServer(t)
  const alice = startChat(t, url, ['alice', '-i'])
  await alice.says('(no conversations yet)')
  alice.type('hello?')
  await alice.says('no receiver')
  alice.type('/history')
  await alice.says('no receiver')
  alice.type('/dance')
  await alice.says('/quit')
  alice.type('/help')
  await alice.says('/quit')
  alice.type('/to nobody')
  await alice.says('(receiver: nobody)')
  alice.type('hello?')
  await alice.says('(not sent: ')
  alice.type('/history')
  await alice.says('(not loaded: ')

  const bob = startChat(t, url, ['bob', '-i', '-t', 'alice'])
  await bob.says('(no conversations yet)')
  bob.type('hello \u001b[31mAlice')
  await bob.says('bob → alice: hello')
  await alice.says('bob: hello �[31mAlice')
  alice.type('/to bob')
  alice.type('hi')
  await alice.says('alice → bob: hi')
  await bob.says('alice: hi')
  bob.type('/list')
  await bob.says('  alice: hi')
  bob.type('/history')
  await bob.says('alice: hi')
  bob.type('')
  bob.type('/quit')
  t.equal(await bob.exited, 0)
  alice.child.stdin.end()
  t.equal(await alice.exited, 0)
})

t.test('users have display names, which they may set', async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  await bob.call('PATCH', '/users/me', { display_name: 'Bob \u001b[31mBrown' })
  const alice = startChat(t, url, ['alice', '-i', '--to', 'bob'])
  await alice.says('(no conversations yet)')
  alice.type('/name  Alice A. ')
  await alice.says('(your name: Alice A.)')
  alice.type('hello')
  await alice.says('Alice A. (alice) → Bob �[31mBrown (bob): hello')
  await bob.send('alice', 'hi')
  await alice.says('Bob �[31mBrown (bob): hi')
  alice.type('/list')
  await alice.says('  Bob �[31mBrown (bob): hi')
  t.match((await bob.call('GET', '/users/alice')).body, { profile: { display_name: 'Alice A.' } })
  alice.type('/name')
  await alice.says('(no display name)')
  alice.type(`/name ${'x'.repeat(129)}`)
  await alice.says('(not saved: ')
  alice.child.stdin.end()
  t.equal(await alice.exited, 0)
})

t.test('groups have a title, and messages change', async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const alice = startChat(t, url, ['alice', '-i'])
  await alice.says('(no conversations yet)')
  const { id } = await bob.createGroup('Climbing', ['alice'])
  const message = await bob.send(id, 'up')
  await alice.says(`bob → #${id} Climbing: up`)
  await bob.call('PATCH', `/messages/${message.id}`, { content: 'down' })
  await alice.says(`bob → #${id} Climbing: down (edited)`)
  await bob.call('DELETE', `/messages/${message.id}`)
  await alice.says('(deleted)')
  alice.type(`/to #${id}`)
  alice.type('/history')
  await alice.says('(deleted)')
  await bob.send('alice', 'line\nline')
  await alice.says('bob: line\n  line')
  await login('carol')
  await bob.send('carol', 'hello')
  await bob.createGroup('Silence', ['carol'])
  const carol = startChat(t, url, ['carol', '-i'])
  await carol.says('Silence\n')
  await carol.says('bob (1 new)  bob: hello\n')
  carol.type('/quit')
  t.equal(await carol.exited, 0)
  alice.type('/quit')
  t.equal(await alice.exited, 0)
})

t.test('the password is asked for where there is one', async (t) => {
  const { url, login } = await startServer(t)
  const before = startChat(t, url, ['alice', '-i'])
  await before.says('(no conversations yet)')
  const me = await login('alice')
  await me.call('PUT', '/users/me/password', { password: 'correct horse' })
  await before.says('(stopped: This account needs its password.)')
  before.type('/quit')
  t.equal(await before.exited, 0)

  const asked = startChat(t, url, ['alice', '-i'])
  await asked.says('Password of alice: ')
  asked.type('correct horse')
  await asked.says('(no conversations yet)')
  asked.type('/quit')
  t.equal(await asked.exited, 0)

  const env = { MESSENGER_PASSWORD: 'correct horse' }
  const piped = startChat(t, url, ['alice', '--to', 'alice'], env)
  piped.child.stdin.end('a note')
  t.equal(await piped.exited, 0)
  const wrong = startChat(t, url, ['alice', '--to', 'alice'], { MESSENGER_PASSWORD: 'wrong' })
  t.equal(await wrong.exited, 1)
  t.match(wrong.output(), /INVALID_CREDENTIALS/)
})

t.test('it outlives a restart of the server, and sends what was written meanwhile', async (t) => {
  const folder = await temporaryFolder(t)
  const PORT = String(await freePort())
  const first = await startProcess(t, folder, { PORT })
  const alice = startChat(t, first.url, ['alice', '-i', '--to', 'alice'])
  await alice.says('(no conversations yet)')
  first.child.kill('SIGTERM')
  await alice.says('(no connection to')
  alice.type('a note')
  await first.exited
  const second = await startProcess(t, folder, { PORT })
  await alice.says('(connected)')
  await alice.says('alice: a note')
  const me = await login(t, first.url, 'alice')
  t.match(await me.history('alice'), [{ content: 'a note' }])
  await me.call('POST', '/logout?everywhere=true')
  await alice.says('(no connection to')
  await alice.says('(connected)')

  second.child.kill('SIGTERM')
  await second.exited
  await startProcess(t, await temporaryFolder(t), { PORT })
  await alice.says('(no conversations yet)')
  alice.type('/quit')
  t.equal(await alice.exited, 0)
})

t.test('it leaves when it is told to, even when the other side is silent', async (t) => {
  const { url } = await startServer(t)
  const proxy = await startProxy(t, url, () => 0, 0)
  proxy.calm()
  const alice = startChat(t, proxy.url, ['alice', '-i'])
  await alice.says('(no conversations yet)')
  proxy.stall()
  alice.type('/quit')
  t.equal(await alice.exited, 0)
})

t.test('where what waits cannot be sent any more, it says why and ends', async (t) => {
  const { url, login } = await startServer(t, { RATE_LIMIT_SEND: '1' })
  const bob = await login('bob')
  const socket = await bob.connect()
  const cases = [
    { args: [], isEnded: true, code: 1, says: /^This account needs its password\. \(PASSWORD_REQUIRED\)$/m },
    { args: [], isEnded: false, code: 1, says: /\(PASSWORD_REQUIRED\)$/m },
    { args: ['-i'], isEnded: true, code: 0, says: /\(stopped: This account needs its password\.\)/ },
  ]
  for (const [index, { args, isEnded, code, says }] of cases.entries()) {
    const username = `alice${index}`
    const chat = startChat(t, url, [username, '--to', 'bob', ...args])
    const stored = socket.wait('message', ({ sender }) => sender === username)
    chat.child.stdin.write('first\nsecond\n')
    if (isEnded) chat.child.stdin.end()
    await stored
    await (await login(username)).call('DELETE', '/users/me')
    t.equal(await chat.exited, code)
    t.match(chat.output(), says)
  }
})
