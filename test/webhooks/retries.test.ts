import t from 'tap'
import { retryDelay } from '../../src/webhooks/answers.ts'

t.test('attempts wait for 1 s, then twice as long each time, up to 5 min, with jitter, for ever', (t) => {
  const delays = (failures: number) => Array.from({ length: 100 }, () => retryDelay(failures))
  for (const [failures, delay] of [
    [0, 1000],
    [1, 2000],
    [2, 4000],
    [8, 256_000],
    [9, 300_000],
    [5000, 300_000],
  ] as const) {
    const found = delays(failures)
    t.ok(Math.min(...found) >= delay, `${failures} failures: at least ${delay} ms`)
    t.ok(Math.max(...found) <= delay * 1.1, `${failures} failures: at most a tenth longer`)
    t.ok(new Set(found).size > 10, `${failures} failures: webhooks do not retry together`)
  }
  t.end()
})
