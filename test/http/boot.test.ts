import fastify from 'fastify'
import plugin from 'fastify-plugin'
import t from 'tap'
import { bodies } from '../../plugins/bodies.ts'
import { problems } from '../../plugins/problems.ts'

t.test('a route without request and response schemas stops the start', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(problems)
  await app.register(plugin(async () => {}, { name: 'request-turns' }))
  await app.register(bodies)
  const handler = () => 'x'
  const response = { 200: { type: 'string' } }
  t.throws(() => app.get('/', handler), /GET \/ has no schema/)
  t.throws(() => app.post('/', { schema: { response } }, handler), /POST \/ has no schema/)
  t.doesNotThrow(() => app.get('/', { schema: { response } }, handler))
})

t.test('a plugin that is registered before one that it needs stops the start and names it', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(problems)
  await t.rejects(async () => app.register(bodies), /'request-turns' of plugin 'bodies' is not registered/)
})
