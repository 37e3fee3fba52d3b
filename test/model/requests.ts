import assert from 'node:assert/strict'
import type { Conversation, Receipt } from '../../schemas/conversation.ts'
import type { Message } from '../../schemas/message.ts'
import type { Device } from './device.ts'
import type { Host } from './host.ts'
import type { ResultCode } from './model.ts'

/** Who makes a request, and whether it prefers a socket to HTTP. */
export type Caller = {
  who: string
  overSocket: boolean
  /** Whether the app makes the request on behalf of `who`. */
  byKey?: boolean
}

export type Outcome = {
  code: ResultCode
  message?: Message | undefined
  receipt?: Receipt | undefined
  duplicate?: boolean
}

const frameTypes = {
  send: 'send',
  edit: 'edit',
  delete: 'delete',
  mark: 'receipt',
}

/** Sends the requests of a world's users over HTTP and over the sockets of their devices. */
export class Requests {
  readonly host: Host
  readonly #tokens = new Map<string, string>()
  readonly #devices = new Map<string, Device[]>()

  constructor(host: Host) {
    this.host = host
  }

  async login(who: string) {
    this.#tokens.set(who, await this.host.login(who))
    this.#devices.set(who, [])
  }

  token(who: string): string {
    return this.#tokens.get(who) as string
  }

  devicesOf(who: string): Device[] {
    return this.#devices.get(who) as Device[]
  }

  allDevices(): Device[] {
    return [...this.#devices.values()].flat()
  }

  call<T = Conversation>(who: string, method: Method, path: string, body?: object) {
    return this.host.call<T>(this.token(who), method, path, body)
  }

  /**
   * Performs an operation over an open socket of the caller if there is one. Uses HTTP otherwise, and also retries over HTTP when
   * the socket closes before the reply.
   */
  async perform(
    caller: Caller,
    operation: keyof typeof frameTypes,
    request: Record<string, unknown>,
  ): Promise<Outcome> {
    const device =
      caller.overSocket &&
      !caller.byKey &&
      this.devicesOf(caller.who).find(({ isOpen, isSlow }) => isOpen && !isSlow)
    if (device) {
      try {
        const reply = await device.request({ type: frameTypes[operation], ...request })
        if (reply.type === 'error') return { code: reply.problem.code as ResultCode }
        assert(reply.type === 'ack')
        return {
          code: 'ok',
          message: reply.message,
          receipt: reply.receipt,
          duplicate: reply.duplicate ?? false,
        }
      } catch (error) {
        device.check()
        assert.match((error as Error).message, /socket was lost/)
      }
    }
    const call = <T>(method: Method, path: string, body?: object) =>
      caller.byKey
        ? this.host.asApp<T>(method, path, body, caller.who)
        : this.call<T>(caller.who, method, path, body)
    const { message_id, conversation_id, ...body } = request as {
      message_id?: number
      conversation_id?: number
    }
    switch (operation) {
      case 'send': {
        const { code, body: message } = await call<Message>('POST', '/send', request)
        return { code: code as ResultCode, message }
      }
      case 'edit':
      case 'delete': {
        const method = operation === 'edit' ? 'PATCH' : 'DELETE'
        const reply = await call<Message>(
          method,
          `/messages/${message_id}`,
          operation === 'edit' ? body : undefined,
        )
        return { code: reply.code as ResultCode, message: reply.body }
      }
      case 'mark': {
        const reply = await call<Receipt>('PUT', `/conversations/${conversation_id}/receipt`, body)
        return { code: reply.code as ResultCode, receipt: reply.body }
      }
    }
  }
}

type Method = Parameters<Host['call']>[1]
