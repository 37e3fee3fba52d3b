import type { Test } from 'tap'
import { dial } from './raw.ts'

type FrameOptions = {
  fin?: boolean
  /** The three reserved bits. */
  rsv?: number
  opcode?: number
  isMasked?: boolean
  /** Length in the header, if it differs from that of the payload. */
  length?: bigint
}

/** @returns the bytes of one WebSocket frame (RFC 6455, section 5.2), valid or invalid. */
export const rawFrame = (payload: string | Uint8Array = '', options: FrameOptions = {}): Buffer => {
  const { fin = true, rsv = 0, opcode = 1, isMasked = true } = options
  const data = Buffer.from(payload as string)
  const length = options.length ?? BigInt(data.length)
  const head = Buffer.alloc(length < 126n ? 2 : length < 65_536n ? 4 : 10)
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  head[1] = (isMasked ? 0x80 : 0) | (head.length === 2 ? Number(length) : head.length === 4 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(Number(length), 2)
  if (head.length === 10) head.writeBigUInt64BE(length, 2)
  if (!isMasked) return Buffer.concat([head, data])
  const mask = Buffer.from([1, 2, 3, 4])
  return Buffer.concat([head, mask, data.map((byte, index) => byte ^ (mask[index % 4] as number))])
}

/** @returns the bytes of a handshake request for a `messenger.v1` socket. */
export const handshake = (token: string, query = '') =>
  `GET /ws${query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
  'Sec-WebSocket-Protocol: messenger.v1\r\n\r\n'

/** Opens a socket over a raw connection. `first` is sent in one packet with the handshake. */
export const rawSocket = async (t: Test, url: string, token: string, first: Uint8Array = Buffer.alloc(0)) => {
  const connection = await dial(t, url)
  connection.write(Buffer.concat([Buffer.from(handshake(token)), first]))
  await connection.until((bytes) => bytes.includes('\r\n\r\n'))
  return {
    ...connection,
    frames: async () => serverFrames(await connection.closed),
    /** Waits for a server frame that matches. */
    until: async (matches: (frame: ServerFrame) => boolean) =>
      serverFrames(await connection.until((bytes) => serverFrames(bytes).some(matches))).find(
        matches,
      ) as ServerFrame,
    /** Waits for the close frame of the server and closes the connection. @returns its code */
    async closeCode() {
      const isClose = ({ opcode }: ServerFrame) => opcode === 8
      const bytes = await connection.until((received) => serverFrames(received).some(isClose))
      connection.socket.end()
      return serverFrames(bytes).find(isClose)?.payload.readUInt16BE(0)
    },
  }
}

export type ServerFrame = { opcode: number; payload: Buffer }

/** @returns the frames that the server sent after its handshake. */
const serverFrames = (bytes: Buffer): ServerFrame[] => {
  const frames: ServerFrame[] = []
  let at = bytes.indexOf('\r\n\r\n') + 4
  while (at + 2 <= bytes.length) {
    const short = (bytes[at + 1] as number) & 127
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    if (at + head > bytes.length) break
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    if (at + head + length > bytes.length) break
    frames.push({
      opcode: (bytes[at] as number) & 15,
      payload: bytes.subarray(at + head, at + head + length),
    })
    at += head + length
  }
  return frames
}
