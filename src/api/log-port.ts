/**
 * What the control plane needs of a logger; `telemetry/logger.ts` gives it, and main.ts hands it
 * in. Its fields are allow-listed there.
 */
export type Log = {
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  fault(event: string, thrown: unknown, fields?: LogFields): void
}

export type LogFields = {
  readonly code?: string
  readonly node?: string
  readonly counter?: number
  readonly size?: number
  readonly port?: number
  readonly route?: string
  readonly status?: number
  readonly count?: number
  readonly ms?: number
  readonly pid?: number
  readonly path?: string
}

export const noLog: Log = { info: () => undefined, warn: () => undefined, fault: () => undefined }
