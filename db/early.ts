import { startEarly } from './dialects/sqlite/thread.ts'

// To be imported first of all by a process that is going to open a database.
startEarly()
