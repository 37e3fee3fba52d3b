/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A keep-alive connection with one request at a time. It parses only the status and the length of a reply. */
export class HttpConnection {
  readonly #socket: Socket
  #received: Buffer[] = []
  /** Bytes of the reply that are still missing; undefined until its head is read. */
  #missing: number | undefined
  #bodyStart = 0
  #done: (reply: Buffer, bodyStart: number) => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#receive(chunk))
  }

  static async open(port: number): Promise<HttpConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new HttpConnection(socket)
  }

  /** @param request head and body, in Latin-1 */
  request(request: string, done: (reply: Buffer, bodyStart: number) => void) {
    this.#done = done
    this.#socket.write(request, 'latin1')
  }

  /** @returns the body of the reply */
  ask(request: string): Promise<string> {
    return new Promise((resolve) => {
      this.request(request, (reply, bodyStart) => resolve(reply.toString('utf8', bodyStart)))
    })
  }

  close() {
    this.#socket.destroy()
  }

  #receive(chunk: Buffer) {
    this.#received.push(chunk)
    this.#missing = this.#missing === undefined ? this.#readHead(chunk) : this.#missing - chunk.length
    if (this.#missing > 0) return
    const reply = this.#received.length === 1 ? chunk : Buffer.concat(this.#received)
    this.#received = []
    this.#missing = undefined
    this.#done(reply, this.#bodyStart)
  }

  #readHead(chunk: Buffer): number {
    const head = chunk.toString('latin1', 0, 1024)
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`refused: ${chunk.toString()}`)
    const end = head.indexOf('\r\n\r\n')
    const at = head.indexOf('content-length: ')
    if (end < 0 || at < 0) throw new Error(`unexpected reply: ${head}`)
    this.#bodyStart = end + 4
    return this.#bodyStart + Number.parseInt(head.slice(at + 16, at + 26), 10) - chunk.length
  }
}

export const get = (path: string, token: string) =>
  `GET ${path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${token}\r\n\r\n`

/** @returns the head of a JSON POST whose body has `length` bytes. */
export const postHead = (path: string, token: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`
