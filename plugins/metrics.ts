import plugin from 'fastify-plugin'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { nodeName } from '../src/config.ts'
import type { Seen } from '../src/webhooks/engine.ts'

const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1024]
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5]

/** The requests of one route: their number by status, and the sum of their durations. */
type RouteCount = { method: string; route: string; statuses: Map<number, number>; seconds: number }

/**
 * Metrics for Prometheus. A message costs nothing here: each part of the server counts for itself, and the counts are read
 * when metrics are requested. All labels have few values, whatever clients send.
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
    /** A gauge of one label. @param read returns the value of each label that there is */
    const gauges = (name: string, help: string, label: string, read: () => Record<string, number>) =>
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset()
          for (const [text, value] of Object.entries(read())) this.set({ [label]: text }, value)
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
      'Answered HTTP requests.',
      ['method', 'route', 'status'],
      (metric) => {
        for (const { method, route, statuses } of routes) {
          for (const [status, count] of statuses) metric.inc({ method, route, status }, count)
        }
      },
    )
    counter(
      'messenger_request_seconds_total',
      'Sum of the durations of answered HTTP requests.',
      ['method', 'route'],
      (metric) => {
        for (const { method, route, seconds } of routes) metric.inc({ method, route }, seconds)
      },
    )
    counter(
      'messenger_problems_total',
      'Refused requests and frames, and failed work in the background, by error code.',
      ['code'],
      (metric) => {
        for (const [code, count] of app.problems.counts) metric.inc({ code }, count)
      },
    )
    counter(
      'messenger_overload_total',
      'Requests and frames refused with OVERLOADED, by the exhausted resource.',
      ['reason'],
      (metric) => {
        for (const [reason, count] of Object.entries(app.problems.overloads)) metric.inc({ reason }, count)
      },
    )

    gauge('messenger_sockets', 'Open sockets.', () => app.sockets.hub.size)
    counter('messenger_sockets_opened_total', 'Accepted sockets.', [], (metric) => {
      metric.inc(app.sockets.counts.opened)
    })
    counter(
      'messenger_sockets_closed_total',
      'Sockets closed by the server, by close code.',
      ['code'],
      (metric) => {
        for (const [code, count] of app.sockets.counts.closed) metric.inc({ code }, count)
      },
    )
    counter('messenger_frames_total', 'Received frames.', [], (metric) =>
      metric.inc(app.sockets.counts.frames),
    )
    counter(
      'messenger_frames_dropped_total',
      'Typing, presence and user frames that were dropped for slow readers.',
      [],
      (metric) => {
        metric.inc(app.sockets.counts.dropped)
      },
    )

    const { writer, figures } = app.database
    const node = nodeName(app.config)
    gauge('messenger_queue_length', 'Changes in the queue of the writer.', () => writer.pending)
    const batchSize = new Histogram({
      name: 'messenger_batch_size',
      help: 'Changes per commit.',
      buckets: SIZES,
      registers,
    })
    const batchSeconds = new Histogram({
      name: 'messenger_batch_seconds',
      help: 'Duration of a commit, from its first statement to fsync.',
      buckets: SECONDS,
      registers,
    })
    writer.on('batch', ({ size, seconds }) => {
      batchSize.observe(size)
      batchSeconds.observe(seconds)
    })

    gauges('messenger_node_info', '1 for the name of this process.', 'node', () => ({ [node]: 1 }))
    gauges(
      'messenger_database_role',
      '1 for what the database is to this process: file, primary or unreachable.',
      'role',
      () => ({ [figures().role]: 1 }),
    )
    gauges('messenger_database_connections', 'Connections that read.', 'state', () => {
      const { open, idle } = figures().reading
      return { used: open - idle, idle }
    })
    gauge('messenger_waiting_reads', 'Reads that wait for a connection.', () => figures().reading.waiting)
    gauge(
      'messenger_feed_lag_seconds',
      'Time since this process last had every commit of all processes.',
      () => figures().lag,
    )
    counter(
      'messenger_lock_wait_seconds_total',
      'Sum of the times that transactions waited for the lock of the writing process, each with its round trip.',
      [],
      (metric) => metric.inc(figures().lockWait),
    )

    const { webhooks } = app
    const ofWebhooks = (read: (webhook: Seen) => number) => () =>
      Object.fromEntries(webhooks.seen.map((webhook) => [webhook.name, read(webhook)]))
    gauges(
      'messenger_webhook_lag_changes',
      'Changes that a webhook did not deliver yet. Each server shows all webhooks.',
      'webhook',
      ofWebhooks(({ lag }) => lag),
    )
    gauges(
      'messenger_webhook_lag_seconds',
      'Age of the oldest message or batch that a webhook did not deliver yet. Each server shows all webhooks.',
      'webhook',
      ofWebhooks(({ lag_seconds }) => lag_seconds),
    )
    gauges(
      'messenger_webhook_failures',
      'Failed attempts to deliver the next batch of a webhook. Each server shows all webhooks.',
      'webhook',
      ofWebhooks(({ attempts }) => attempts),
    )
    counter(
      'messenger_webhook_attempts_total',
      'Requests of this process to a webhook, by outcome: delivered, failed, or moved by an answer 409.',
      ['webhook', 'outcome'],
      (metric) => {
        for (const [webhook, count] of webhooks.counts)
          for (const [outcome, value] of Object.entries(count)) metric.inc({ webhook, outcome }, value)
      },
    )

    gauge(
      'messenger_event_loop_delay_seconds',
      'Delay of the event loop over the last half second. Load shedding uses it.',
      () => app.chat.load.delay / 1000,
    )
    gauge(
      'messenger_event_loop_delay_max_seconds',
      'Longest pause of the event loop since the last scrape.',
      () => app.chat.load.takeWorst() / 1000,
    )
    gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss())
    gauge(
      'process_start_time_seconds',
      'Start time of the process, in seconds since 1970.',
      () => Date.now() / 1000 - process.uptime(),
    )
    counter('process_cpu_seconds_total', 'CPU time of the process.', [], (metric) => {
      const { user, system } = process.cpuUsage()
      metric.inc((user + system) / 1e6)
    })

    app.decorate('metrics', registry)
  },
  { name: 'metrics', dependencies: ['problems', 'database', 'chat', 'sockets', 'webhooks'] },
)

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Registry
  }
}
