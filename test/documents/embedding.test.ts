import { readFile } from 'node:fs/promises'
import t from 'tap'
import { inRepository } from '../support/example.ts'

const FILES = ['chat-tokens.ts', 'moderation.ts', 'orders.ts', 'page.html', 'sessions.ts', 'webhook.ts']

t.test('the code of docs/EMBEDDING.md is the code of the example that the tests run', async (t) => {
  const page = await readFile(inRepository('docs/EMBEDDING.md'), 'utf8')
  const code = await Promise.all(
    FILES.map((file) => readFile(inRepository(`examples/embedding/${file}`), 'utf8')),
  )
  const samples = [...page.matchAll(/^```(?:ts|js)\n(.*?)^```$/gms)].map(([, sample]) => sample as string)
  t.equal(samples.length, 11)
  for (const sample of samples)
    t.ok(
      code.some((text) => text.includes(sample)),
      sample,
    )
})
