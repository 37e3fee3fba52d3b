import type { IncomingMessage } from 'node:http'
import { AppError, overloaded } from '../errors.ts'

/**
 * Bytes of all bodies that are not parsed yet. 10,000 connections (MAX_CONNECTIONS) with bodies of 64 KiB, the longest
 * send, would need ten times as much; a second of ordinary traffic needs a hundredth.
 */
const BUDGET = 67_108_864

/** A body that arrived completely. Its bytes count towards the budget until `release`. */
type Body = { bytes: Buffer; release(): void }

type Done = (error: AppError | undefined, body?: Body) => void
type Unfinished = { refuse(error: AppError): void }

/** Reads the bodies of requests, and bounds the memory of all of them together. */
export class Bodies {
  readonly #budget: number
  /** In order of arrival. */
  readonly #unfinished = new Set<Unfinished>()
  #bytes = 0

  constructor(budget = BUDGET) {
    this.#budget = budget
  }

  /** Bytes of all bodies that are not released. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Reads a body.
   * @param limit bytes that the body may have; Content-Length is checked before anything is read
   * @param done is called once: with the body, with `PAYLOAD_TOO_LARGE`, or with `OVERLOADED` when this is the oldest
   *   unfinished body and the budget is exceeded. It is not called if the client disconnects before the end.
   */
  read(request: IncomingMessage, limit: number, done: Done) {
    const longest = Number(request.headers['content-length'] ?? limit)
    if (longest > limit) {
      done(tooLarge(limit))
      return
    }
    let buffer: Buffer = NOTHING
    let length = 0
    const end = () => {
      this.#unfinished.delete(body)
      request.off('data', add).off('end', finish).off('error', drop)
    }
    const release = () => {
      this.#bytes -= buffer.length
      buffer = NOTHING
    }
    const drop = () => {
      end()
      release()
    }
    const body = {
      refuse(error: AppError) {
        drop()
        done(error)
      },
    }
    const add = (chunk: Buffer) => {
      if (length + chunk.length > limit) {
        body.refuse(tooLarge(limit))
        return
      }
      const grown = append(buffer, length, chunk, longest)
      this.#bytes += grown.length - buffer.length
      buffer = grown
      length += chunk.length
      for (const oldest of this.#unfinished) {
        if (this.#bytes <= this.#budget) break
        oldest.refuse(overBudget())
      }
    }
    const finish = () => {
      end()
      done(undefined, { bytes: buffer.subarray(0, length), release })
    }
    this.#unfinished.add(body)
    request.on('data', add).on('end', finish).on('error', drop)
  }
}

const NOTHING = Buffer.alloc(0)

/**
 * Most bodies are one chunk, which is used without a copy. Further chunks are copied into one buffer, because separate
 * chunks of one byte would take a hundred times the memory that is counted.
 */
const append = (buffer: Buffer, length: number, chunk: Buffer, longest: number): Buffer => {
  if (length === 0) return chunk
  const needed = length + chunk.length
  let target = buffer
  if (needed > buffer.length) {
    target = Buffer.allocUnsafeSlow(Math.min(longest, needed * 2))
    buffer.copy(target, 0, 0, length)
  }
  chunk.copy(target, length)
  return target
}

const tooLarge = (limit: number) =>
  new AppError(
    'PAYLOAD_TOO_LARGE',
    `The body is larger than ${limit} bytes, the limit of this operation. Send a smaller body.`,
  )

const overBudget = () =>
  overloaded(
    'The server holds too many unfinished bodies, and this one is the oldest. Send the request again.',
    'bodies',
  )
