import t from 'tap'
import { explain } from '../../db/dialects/postgres/checks.ts'
import { isConnectionError, toStorageError } from '../../db/dialects/postgres/errors.ts'
import { StorageError } from '../../db/errors.ts'
import { withoutPassword } from '../../db/url.ts'

const failed = (code?: string) => Object.assign(new Error('a message'), code === undefined ? {} : { code })

t.test('an error of PostgreSQL gets the kind of its code', (t) => {
  const kinds: [code: string | undefined, kind: string, isConnection: boolean][] = [
    ['53100', 'full', false],
    ['25006', 'readonly', false],
    ['22021', 'operation', false],
    ['23505', 'operation', false],
    ['42P01', 'operation', false],
    ['40001', 'busy', false],
    ['25P03', 'unreachable', true],
    ['57P01', 'unreachable', true],
    ['08006', 'unreachable', true],
    ['ECONNREFUSED', 'unreachable', true],
    [undefined, 'unreachable', true],
  ]
  for (const [code, kind, isConnection] of kinds) {
    const cause = failed(code)
    const error = toStorageError(cause)
    t.match(error, { name: 'StorageError', kind, message: 'a message' }, String(code))
    t.equal(error.cause, cause)
    t.equal(isConnectionError(cause), isConnection, String(code))
  }
  const given = new StorageError('broken', 'of its own')
  t.equal(toStorageError(given), given)
  t.equal(isConnectionError(given), false)
  t.end()
})

t.test('an error at the start says what to do and contains no password', (t) => {
  const url = 'postgres://user:secret@host/name'
  t.equal(withoutPassword(url), 'postgres://user@host/name')
  const why = {
    '3D000': 'createdb',
    '28P01': 'password',
    '28000': 'pg_hba',
    '42501': 'lacks a right',
    '53300': 'max_connections',
  }
  for (const [code, text] of Object.entries(why)) {
    const { kind, message } = explain(failed(code), url)
    t.equal(kind, 'unusable')
    t.match(message, text)
    t.notMatch(message, 'secret')
  }
  t.match(explain(failed(), url).message, 'a message.')
  t.match(
    explain(Object.assign(new Error(''), { code: 'ECONNREFUSED' }), url).message,
    'No PostgreSQL answers',
  )
  const given = new StorageError('unusable', 'of its own')
  t.equal(explain(given, url), given)
  t.end()
})
