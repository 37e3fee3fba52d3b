import { Actions } from './actions.ts'
import { type Command, type CommandKind, pick } from './commands.ts'
import { Device } from './device.ts'
import { compareLists, compareView } from './expectations.ts'
import type { Host } from './host.ts'
import { Model } from './model.ts'
import { Requests } from './requests.ts'
import type { Entry } from './state.ts'
import { View } from './view.ts'

/** Four users with their devices on one server, and the model of the state that they must see. */
export class World {
  readonly #model: Model
  readonly #requests: Requests
  readonly #actions: Actions

  constructor(host: Host, name: string) {
    this.#requests = new Requests(host)
    this.#model = new Model(['ann', 'bob', 'cid', 'dot'].map((who) => `${who}-${name}`))
    this.#actions = new Actions(this.#model, this.#requests)
  }

  async begin() {
    for (const who of this.#model.users) {
      await this.#requests.login(who)
      await this.#addDevice(who, false)
      await this.#addDevice(who, true)
    }
  }

  async run(commands: readonly Command[]) {
    for (const { kind, ...numbers } of commands) {
      await this.#do(kind, numbers)
      for (const device of this.#requests.allDevices()) device.check()
    }
  }

  /** Drops all sockets, as a restart does. */
  drop() {
    for (const device of this.#requests.allDevices()) device.drop()
  }

  /** Reconnects all devices. */
  async connect() {
    for (const device of this.#requests.allDevices()) await device.connect()
  }

  /** Compares every device, list and history with the model. */
  async check({ withMarks }: { withMarks: boolean }) {
    for (const who of this.#model.users) {
      for (const device of this.#requests.devicesOf(who)) {
        await device.settle()
        compareView(this.#model, who, device.view, withMarks)
      }
      await compareLists(this.#model, this.#requests, who)
    }
  }

  async #do(kind: CommandKind, numbers: Omit<Command, 'kind'>) {
    const { a, b } = numbers
    const model = this.#model
    const who = model.users[numbers.who] as string
    const other = model.users[a % 4] as string
    const chat = pick(model.chatsOf(who), a)
    const device = pick(this.#requests.devicesOf(who), a) as Device
    const caller = { who, overSocket: numbers.overSocket }
    const byKey = { who, overSocket: false, byKey: true }
    const target = chat && b % 3 > 0 ? { chat } : { receiver: other }
    switch (kind) {
      case 'send':
        return this.#actions.send(caller, target)
      case 'sendByKey':
        return this.#actions.send(byKey, target)
      case 'suspend':
        return this.#actions.suspend(who, target)
      case 'sendBetweenTwo':
        return this.#actions.send(caller, { receiver: model.users[a % 2] as string })
      case 'sendToSelf':
        return this.#actions.send(caller, { receiver: who })
      case 'sendAnywhere': {
        // Any conversation, with or without membership.
        const any = pick(model.chats, a)
        return any && this.#actions.send(caller, { chat: any })
      }
      case 'reply':
        return this.#actions.send(caller, chat ? { chat } : { receiver: other }, pick(model.entries, b)?.id)
      case 'retry':
        return this.#actions.retry(caller, pick(model.entriesOf(who), b), false)
      case 'reuseKey':
        return this.#actions.retry(caller, pick(model.entriesOf(who), b), true)
      case 'burst':
        return this.#actions.burst(numbers)
      case 'sendAndDrop':
        return this.#actions.sendAndDrop(who, { receiver: other })
      case 'edit':
        return this.#actions.change(caller, this.#pickMessage(who, a, b), `edited ${b}`)
      case 'delete':
        return this.#actions.change(caller, this.#pickMessage(who, a, b), undefined)
      case 'deleteByKey':
        return this.#actions.change(byKey, this.#pickMessage(who, a, b), undefined)
      case 'markByKey':
        return chat && this.#actions.mark(byKey, chat, a, b)
      case 'mark':
        return chat && this.#actions.mark(caller, chat, a, b)
      case 'createGroup':
        return this.#actions.createGroup(
          who,
          model.users.filter((_, index) => (b >> index) % 2 === 1),
        )
      case 'rename':
        return chat && this.#actions.rename(who, chat, `title ${b % 4}`)
      case 'add':
        return chat && this.#actions.add(who, chat, model.users[b % 4] as string)
      case 'setRole':
        return chat && this.#actions.setRole(who, chat, model.users[b % 4] as string, b % 3 > 0)
      case 'invite':
        return this.#actions.invite(caller, a)
      case 'remove':
        return chat && this.#actions.remove(who, chat, model.users[b % 4] as string)
      case 'leave':
        return chat && this.#actions.remove(who, chat, who)
      case 'rejoin': {
        // An owner adds a former member again.
        const left = pick(
          model.chats.flatMap((group) =>
            group.periods
              .filter(({ who: left }) => model.users.includes(left) && !model.isIn(group, left))
              .map((period) => ({ group, period })),
          ),
          a,
        )
        const owner = left && model.present(left.group).find(({ isOwner }) => isOwner)
        return left && owner && this.#actions.add(owner.who, left.group, left.period.who)
      }
      case 'addAfterSend':
        return this.#actions.addAfterSend(caller, a, b)
      case 'removeAfterSend':
        return this.#actions.removeAfterSend(caller, a, b)
      case 'blockBack': {
        const [blocker, blocked] = pick([...model.blocks], a)?.split('>') ?? []
        return blocker && blocked && this.#actions.block(blocked, blocker, 'block')
      }
      case 'block':
      case 'unblock': {
        // Most blocks are between the two users who send to each other most often.
        const [blocker, blocked] = b % 4 === 0 ? [who, other] : (model.users.slice(0, 2) as [string, string])
        return blocker === blocked ? undefined : this.#actions.block(blocker, blocked, kind)
      }
      case 'addDevice':
        return this.#requests.devicesOf(who).length < 4 ? this.#addDevice(who, numbers.overSocket) : undefined
      case 'connect':
        return device.connect()
      case 'drop':
        return device.drop()
      case 'reconnectBriefly':
        return device.isSync ? device.poll(b % 3, 1 + (a % 3)) : device.reconnectBriefly(b % 7)
      case 'poll':
        return device.isSync ? device.poll(1, 1 + b) : undefined
      case 'stall':
        return device.stall()
      case 'loseBatch':
        return this.#requests.host.loseBatch()
    }
  }

  #pickMessage(who: string, a: number, b: number): Entry | undefined {
    // Sometimes a message of another user.
    return b % 5 === 0 ? pick(this.#model.entries, a) : pick(this.#model.entriesOf(who).slice(-8), a)
  }

  async #addDevice(who: string, isSync: boolean) {
    const mayMiss = (id: number) => {
      const entry = this.#model.entries.find((one) => one.id === id)
      return entry !== undefined && this.#model.mayMiss(entry, who)
    }
    const view = await View.load(this.#requests.host, this.#requests.token(who), mayMiss)
    const device = new Device(this.#requests.host, this.#requests.token(who), view, isSync)
    this.#requests.devicesOf(who).push(device)
    await device.connect()
  }
}
