/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import type { Job } from './job.ts'
import { type Scenario, scenarios } from './scenarios.ts'

/** The load generator runs in its own process, so that it does not block the server's event loop. */
const [name, job] = process.argv.slice(2) as [Scenario, string]
const result = await scenarios[name](JSON.parse(job) as Job)
process.stdout.write(JSON.stringify(result), () => process.exit())
