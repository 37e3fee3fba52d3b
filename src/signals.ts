/**
 * Import this before modules that take long to load. In a container the process has PID 1, and the kernel ignores signals
 * for which PID 1 has no handler. Before the server listens there is nothing to finish, so a signal ends the process.
 */
let stop = () => process.exit()

// npm forwards the Ctrl-C that the terminal has already sent, so a second signal must not cut the stop short.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop())

/** Replaces what SIGTERM and SIGINT do. */
export const onStopSignal = (listener: () => void) => {
  stop = listener as () => never
}
