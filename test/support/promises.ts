import { readFile, writeFile } from 'node:fs/promises'
import * as client from '../../client/src/index.ts'
import * as file from '../../client/src/file-storage.ts'
import { Environment } from '../../schemas/environment.ts'
import { closeCodes } from '../../src/close-codes.ts'
import { errors } from '../../src/errors.ts'
import { asyncApi, openApi } from './documents.ts'

type Property = { type?: string | string[]; $ref?: string; default?: string | number }
type Schema = { properties?: Record<string, Property>; required?: string[]; additionalProperties?: boolean }

/**
 * The part of what CHANGELOG.md promises to keep that can be read from the documents and the modules. Commands, exported types,
 * parameters and metrics are not in it.
 */
export const promises = () => ({
  operations: Object.entries(openApi.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { operationId }]) => `${method.toUpperCase()} ${path} ${operationId}`,
    ),
  ),
  errors: Object.keys(errors),
  closeCodes: Object.keys(closeCodes),
  settings: Object.entries(Environment.properties as Record<string, Property>).map(
    ([name, schema]) => `${name}=${schema.default ?? ''}`,
  ),
  client: [
    ...Object.keys({ ...client, ...file }),
    ...Object.getOwnPropertyNames(client.Messenger.prototype).map((name) => `Messenger.${name}`),
  ],
  members: { ...membersOf(openApi), ...membersOf(asyncApi) },
})
export type Promises = ReturnType<typeof promises> & { metrics: string[] }

/** A member of a schema. `isRequest`: clients send it. */
export type Member = { type: string; isRequired: boolean; isRequest: boolean }

const membersOf = ({ components }: { components: { schemas: object } }) =>
  Object.fromEntries(
    Object.entries(components.schemas as Record<string, Schema>).flatMap(
      ([schema, { properties = {}, required = [], additionalProperties }]) =>
        Object.entries(properties).map(([name, { type = '', $ref = '' }]): [string, Member] => [
          `${schema}.${name}`,
          {
            type: [type].flat().join(' or ') + ($ref.split('/').at(-1) as string),
            isRequired: required.includes(name),
            isRequest: additionalProperties === false,
          },
        ]),
    ),
  )

/** What the newest release has. */
const released = new URL('../fixtures/released.json', import.meta.url)

/** @param text the reply of `GET /metrics` */
export const metricsIn = (text: string) =>
  [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name as string)

// A release writes them: node test/support/promises.ts http://localhost:3000/metrics
if (import.meta.main) {
  const metrics = metricsIn(await (await fetch(process.argv[2] as string)).text())
  await writeFile(released, `${JSON.stringify({ ...promises(), metrics }, null, 1)}\n`)
}

export const readReleased = async () => JSON.parse(await readFile(released, 'utf8')) as Promises
