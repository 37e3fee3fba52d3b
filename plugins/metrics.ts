import plugin from 'fastify-plugin'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1024]
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5]

/** Requests of one route: how many had which status, and how long they took in all. */
type RouteCount = { method: string; route: string; statuses: Map<number, number>; seconds: number }

/**
 * What Prometheus reads. Nothing is computed per message: numbers are kept where things happen and fetched when they are
 * asked for. Labels are routes, statuses, close codes and kinds of work, of which there are few whatever clients send.
 */
export const metrics = plugin(
  async (app) => {
    const registry = new Registry()
    const registers = [registry]
    const counter = (name: string, help: string, labelNames: string[], read: (metric: Counter) => void) =>
      new Counter({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset()
          read(this)
        },
      })
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read())
        },
      })

    const routes: RouteCount[] = []
    app.addHook('onRoute', (route) => {
      const method = [route.method].flat().length === 1 ? String(route.method) : 'other'
      const count: RouteCount = { method, route: route.url, statuses: new Map(), seconds: 0 }
      routes.push(count)
      const hook: (typeof route)['onResponse'] = (_request, reply, done) => {
        count.statuses.set(reply.statusCode, (count.statuses.get(reply.statusCode) ?? 0) + 1)
        count.seconds += reply.elapsedTime / 1000
        done()
      }
      route.onResponse = [hook, route.onResponse ?? []].flat()
    })
    counter(
      'messenger_requests_total',
      'HTTP requests answered.',
      ['method', 'route', 'status'],
      (metric) => {
        for (const { method, route, statuses } of routes) {
          for (const [status, count] of statuses) metric.inc({ method, route, status }, count)
        }
      },
    )
    counter(
      'messenger_request_seconds_total',
      'Time that they took, in all.',
      ['method', 'route'],
      (metric) => {
        for (const { method, route, seconds } of routes) metric.inc({ method, route }, seconds)
      },
    )
    counter('messenger_problems_total', 'Requests and frames refused.', ['code'], (metric) => {
      for (const [code, count] of app.problems.counts) metric.inc({ code }, count)
    })
    counter('messenger_overload_total', 'Those refused for too much to do.', ['reason'], (metric) => {
      for (const [reason, count] of Object.entries(app.problems.overloads)) metric.inc({ reason }, count)
    })

    gauge('messenger_sockets', 'Open sockets.', () => app.sockets.hub.size)
    counter('messenger_sockets_opened_total', 'Sockets taken in.', [], (metric) => {
      metric.inc(app.sockets.counts.opened)
    })
    counter('messenger_sockets_closed_total', 'Sockets that the server closed.', ['code'], (metric) => {
      for (const [code, count] of app.sockets.counts.closed) metric.inc({ code }, count)
    })
    counter('messenger_frames_total', 'Frames received.', [], (metric) =>
      metric.inc(app.sockets.counts.frames),
    )
    counter(
      'messenger_frames_dropped_total',
      'Typing and presence not sent to slow readers.',
      [],
      (metric) => {
        metric.inc(app.sockets.counts.dropped)
      },
    )

    const { writer } = app.database
    gauge('messenger_queue_length', 'Changes that wait to be written.', () => writer.pending)
    const batchSize = new Histogram({
      name: 'messenger_batch_size',
      help: 'Changes that shared a commit.',
      buckets: SIZES,
      registers,
    })
    const batchSeconds = new Histogram({
      name: 'messenger_batch_seconds',
      help: 'Time of a commit, from its first statement to the disk.',
      buckets: SECONDS,
      registers,
    })
    writer.on('batch', ({ size, seconds }) => {
      batchSize.observe(size)
      batchSeconds.observe(seconds)
    })

    gauge(
      'messenger_event_loop_delay_seconds',
      'How late the event loop has been for half a second: what work is refused by.',
      () => app.chat.load.delay / 1000,
    )
    gauge(
      'messenger_event_loop_delay_max_seconds',
      'The longest pause of the event loop since this was last asked for.',
      () => app.chat.load.takeWorst() / 1000,
    )
    gauge('process_resident_memory_bytes', 'Memory of the process.', () => process.memoryUsage.rss())
    gauge('process_start_time_seconds', 'When it started.', () => Date.now() / 1000 - process.uptime())
    counter('process_cpu_seconds_total', 'Processor time.', [], (metric) => {
      const { user, system } = process.cpuUsage()
      metric.inc((user + system) / 1e6)
    })

    app.decorate('metrics', registry)
  },
  { name: 'metrics', dependencies: ['problems', 'chat', 'sockets'] },
)

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Registry
  }
}
