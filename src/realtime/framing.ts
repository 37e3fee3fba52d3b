/**
 * A text frame as it goes over the wire (RFC 6455, 5.2): whole, not masked, not compressed. It is made once for all sockets
 * that get it, and written to TCP as it is; `ws` would make a header and two writes for each of them.
 */
export const textFrame = (text: string): Buffer => {
  const length = Buffer.byteLength(text)
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(start + length)
  frame[0] = 0x81
  if (start === 2) frame[1] = length
  else if (start === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  frame.write(text, start)
  return frame
}
