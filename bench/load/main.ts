/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import type { Job } from './job.ts'
import { type Scenario, scenarios } from './scenarios.ts'

/** The load generator: a process of its own, so that what it takes is not taken from the server. */
const [name, job] = process.argv.slice(2) as [Scenario, string]
const result = await scenarios[name](JSON.parse(job) as Job)
process.stdout.write(JSON.stringify(result), () => process.exit())
