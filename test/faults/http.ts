import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A keep-alive connection with one POST in flight. It parses only the head of a reply. */
export class HttpSender {
  isIdle = true
  readonly #tcp: Socket
  readonly #request: Buffer
  readonly #done: (status: number, head: string) => void
  #received = ''

  /** Resolves when the connection is open. */
  readonly connected: Promise<unknown>

  /** @param done called with the status and the head of each reply */
  constructor(port: number, token: string, body: string, done: (status: number, head: string) => void) {
    this.#request = Buffer.from(
      `POST /send HTTP/1.1\r\nHost: load\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    this.#done = done
    this.#tcp = connect({ port, host: '127.0.0.1', noDelay: true })
    this.connected = once(this.#tcp, 'connect')
    this.#tcp.on('data', (chunk) => this.#receive(chunk.toString('latin1')))
  }

  send() {
    this.isIdle = false
    this.#tcp.write(this.#request)
  }

  #receive(text: string) {
    this.#received += text
    const end = this.#received.indexOf('\r\n\r\n')
    const length = /content-length: (\d+)/i.exec(this.#received)?.[1]
    if (end < 0 || this.#received.length < end + 4 + Number(length)) return
    const head = this.#received.slice(0, end)
    this.#received = ''
    this.isIdle = true
    this.#done(Number(head.slice(9, 12)), head)
  }
}
