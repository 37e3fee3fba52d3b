/**
 * To be imported before what takes long to load: as the first process of a container, one that has no listener yet is not
 * ended by a signal. Until the server is there nothing was taken in, and the process just ends.
 */
let stop = () => process.exit()

// Every one is taken: npm hands on the Ctrl-C that the terminal has sent already, and a second would cut the stop short.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop())

/** Has the signals that ask for an end do this from now on. */
export const onStopSignal = (listener: () => void) => {
  stop = listener as () => never
}
