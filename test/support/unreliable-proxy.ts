import { connect, createServer, type Socket } from 'node:net'
import { listen } from './listen.ts'
import type { Owner } from './process.ts'

/** @returns a generator of numbers in [0, 1), reproducible by its seed (mulberry32). */
export const seededRandom = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

const fates = ['cut', 'stall', 'slow', 'half-close'] as const
type Fate = (typeof fates)[number]

/**
 * A TCP proxy that fails as networks do: after a random number of bytes, up to `mostBytes`, a connection is reset, stalls
 * forever, becomes slow, or is closed in one direction. `calm()` makes later connections reliable.
 */
export const startProxy = async (t: Owner, target: string, random: () => number, mostBytes: number) => {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  const happened: Record<Fate, number> = { cut: 0, stall: 0, slow: 0, 'half-close': 0 }
  let isCalm = false
  let isHeld = false
  let isRefusing = false

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (isRefusing) {
      client.resetAndDestroy()
      return
    }
    if (isHeld) {
      sockets.add(client)
      client.on('error', () => {})
      return
    }
    const upstream = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    const fate = fates[Math.floor(random() * fates.length)] as Fate
    let left = isCalm ? Number.POSITIVE_INFINITY : Math.ceil(random() * mostBytes)
    let isStruck = false

    const reset = () => {
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
    const strike = (socket: Socket) => {
      if (isStruck) return
      isStruck = true
      happened[fate] += 1
      if (fate === 'cut') reset()
      else if (fate === 'stall') {
        client.pause()
        upstream.pause()
      } else if (fate === 'half-close') socket.end()
      else left = mostBytes / 4
    }
    const pipe = (from: Socket, to: Socket) => {
      sockets.add(from)
      from.on('data', (chunk: Buffer) => {
        left -= chunk.length
        if (left < 0 && isStruck && fate === 'slow') reset()
        else if (left < 0) strike(to)
        if (isStruck && fate === 'slow') {
          from.pause()
          setTimeout(() => from.resume(), 5)
        }
        // A closed direction accepts no more bytes, and a stalled connection drops what was read.
        if (to.writable && !(isStruck && fate === 'stall')) to.write(chunk)
      })
      from.on('end', () => to.end())
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
    pipe(client, upstream)
    pipe(upstream, client)
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  return {
    url: await listen(t, server),
    happened,
    sockets,
    /** Makes later connections reliable. */
    calm: () => {
      isCalm = true
      isHeld = false
      isRefusing = false
    },
    /** Resets later connections. */
    refuse: () => {
      isRefusing = true
    },
    /** Accepts later connections and forwards nothing. */
    hold: () => {
      isHeld = true
    },
    /** Stalls every open connection. */
    stall: () => {
      for (const socket of sockets) socket.removeAllListeners('data').pause()
    },
    /** Resets every open connection. */
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
  }
}
