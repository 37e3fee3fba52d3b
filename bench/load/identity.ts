/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { HttpConnection } from './http.ts'

/** Username of a user. Prepared databases number their users from 0. */
export const nameOf = (index: number) => `person-${index}`

/** 60 ASCII characters. */
export const CONTENT = 'The quick brown fox jumps over the lazy dog, and then sleeps'

const tail = Math.random().toString(16).slice(2, 10).padEnd(8, '0')
let counter = 0

/** @returns a UUIDv7 (RFC 9562): the time, then a counter that is unique in this process. */
export const uuidv7 = (): string => {
  counter += 1
  const time = Date.now().toString(16).padStart(12, '0')
  const count = counter.toString(16).padStart(8, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count.slice(0, 3)}-8${count.slice(3, 6)}-${count.slice(6)}00${tail}`
}

/** Logs in the first `count` users, creating missing accounts. @returns their tokens */
export const logIn = async (port: number, count: number): Promise<string[]> => {
  const tokens: string[] = []
  let next = 0
  const work = async () => {
    const connection = await HttpConnection.open(port)
    while (next < count) {
      const index = next
      next += 1
      const body = JSON.stringify({ username: nameOf(index) })
      const reply = await connection.ask(
        `POST /login HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      tokens[index] = (JSON.parse(reply) as { token: string }).token
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: Math.min(count, 64) }, work))
  return tokens
}
