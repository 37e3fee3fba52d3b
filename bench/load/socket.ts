/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const [TEXT, CLOSE, PING] = [1, 8, 9]
/** Clients must mask their frames (RFC 6455, 5.3). One byte four times costs the server as much as any other mask. */
const MASK = 0x5a

/**
 * A minimal WebSocket client (RFC 6455): unfragmented text frames of up to 64 KiB. A full client would take as much processor
 * time as the measured server.
 */
export class LoadSocket {
  readonly #tcp: Socket
  readonly #onFrame: (data: Buffer, start: number, end: number) => void
  #rest: Buffer | undefined

  /** @param onFrame receives each text frame as a byte range that is only valid during the call */
  constructor(tcp: Socket, onFrame: (data: Buffer, start: number, end: number) => void) {
    this.#tcp = tcp
    this.#onFrame = onFrame
  }

  static async open(
    port: number,
    token: string,
    onFrame: (data: Buffer, start: number, end: number) => void,
    path = '/ws',
  ): Promise<LoadSocket> {
    const tcp = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(tcp, 'connect')
    const socket = new LoadSocket(tcp, onFrame)
    tcp.write(
      `GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: messenger.v1\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
    const [head] = (await once(tcp, 'data')) as [Buffer]
    const end = head.indexOf('\r\n\r\n')
    if (!head.toString('latin1', 0, 12).endsWith('101') || end < 0)
      throw new Error(`refused: ${head.toString()}`)
    tcp.on('data', (chunk) => socket.#receive(chunk))
    if (end + 4 < head.length) socket.#receive(head.subarray(end + 4))
    return socket
  }

  /** Sends Latin-1 texts of 126 to 65,535 characters each, in one write. */
  send(texts: readonly string[]) {
    let size = 0
    for (const { length } of texts) size += length + 8
    const bytes = Buffer.allocUnsafe(size)
    let at = 0
    for (const text of texts) {
      bytes[at] = 0x80 | TEXT
      bytes[at + 1] = 0x80 | 126
      bytes.writeUInt16BE(text.length, at + 2)
      bytes.fill(MASK, at + 4, at + 8)
      bytes.write(text, at + 8, 'latin1')
      const end = at + 8 + text.length
      for (let index = at + 8; index < end; index += 1) bytes[index] = (bytes[index] as number) ^ MASK
      at = end
    }
    this.#tcp.write(bytes)
  }

  /** Bytes not yet taken by the server. */
  get unsent() {
    return this.#tcp.writableLength
  }

  close() {
    this.#tcp.destroy()
  }

  #receive(chunk: Buffer) {
    const data = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk
    let at = 0
    while (at + 2 <= data.length) {
      const short = data[at + 1] as number
      const start = at + (short < 126 ? 2 : 4)
      if (start > data.length) break
      const end = start + (short < 126 ? short : data.readUInt16BE(at + 2))
      if (end > data.length) break
      this.#read((data[at] as number) & 15, data, start, end)
      at = end
    }
    this.#rest = at < data.length ? data.subarray(at) : undefined
  }

  #read(opcode: number, data: Buffer, start: number, end: number) {
    if (opcode === TEXT) this.#onFrame(data, start, end)
    else if (opcode === PING) this.#tcp.write(Buffer.from([0x8a, 0x80, MASK, MASK, MASK, MASK]))
    else if (opcode === CLOSE) throw new Error(`the server closed: ${data.toString('utf8', start + 2, end)}`)
  }
}
