import t from 'tap'
import { openDatabase } from '../../db/open.ts'
import { type OpenWriter, writerContract } from '../contract/writer.ts'
import { withoutPostgres as skip } from '../support/postgres.ts'
import { createPostgres } from '../support/test-database.ts'

const urls = new Map<string, Promise<string>>()
const urlOf = (place: string) => {
  const url = urls.get(place) ?? createPostgres(place)
  urls.set(place, url)
  return url
}

const open: OpenWriter = async (place, maxQueue, report) =>
  openDatabase(await urlOf(place), { maxQueue, report })

t.test('the PostgreSQL writer follows the writer contract', { skip }, async (t) => writerContract(t, open))
