import { startEarly } from './dialects/sqlite/thread.ts'

// A process that opens a database imports this file before all others.
startEarly()
