/* c8 ignore start -- it measures the product and is no part of it; a smoke run among the tests takes its shortest way */
import { type Job, type Scenario, scenarios } from './scenarios.ts'

/** The load generator: a process of its own, so that what it takes is not taken from the server. */
const [name, job] = process.argv.slice(2) as [Scenario, string]
const result = await scenarios[name](JSON.parse(job) as Job)
process.stdout.write(JSON.stringify(result), () => process.exit())
