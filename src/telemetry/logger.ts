import { pino } from 'pino'
import type { Logger as Pino } from 'pino'

/**
 * Every field that a log line may carry. What is not named here cannot be logged: there is no
 * place for a prompt, a header, a token or a person in it, and no field takes an object.
 *
 * `detail` is the inward voice of a `Fault`, cut to 300 characters; faults hold no credential.
 */
export type LogFields = {
  readonly code?: string
  readonly detail?: string
  readonly exchange?: string
  readonly node?: string
  readonly counter?: number
  readonly size?: number
  readonly keyId?: string
  readonly door?: string
  readonly provider?: string
  readonly tool?: string
  readonly verdict?: string
  readonly host?: string
  readonly port?: number
  readonly route?: string
  readonly status?: number
  readonly bytes?: number
  readonly count?: number
  readonly ms?: number
  readonly pid?: number
  readonly path?: string
  readonly version?: string
}

export type Logger = {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
  /** Takes what was thrown; a `Fault` gives its code and inward voice, others their name only. */
  fault(event: string, thrown: unknown, fields?: LogFields): void
  flush(): void
}

const texts = [
  'code',
  'detail',
  'exchange',
  'node',
  'keyId',
  'door',
  'provider',
  'tool',
  'verdict',
  'host',
  'route',
  'path',
  'version',
] as const satisfies readonly (keyof LogFields)[]
const numbers = [
  'counter',
  'size',
  'port',
  'status',
  'bytes',
  'count',
  'ms',
  'pid',
] as const satisfies readonly (keyof LogFields)[]

const textCharactersMax = 300

/**
 * JSON lines by pino, to standard error or a file (made with mode 0600).
 *
 * Copies the allow-listed fields one by one, so that a caller who was handed something larger by
 * mistake (or by `as never`) still writes nothing of it. A field of the wrong type is left out.
 */
export function createLogger(input: {
  readonly name: string
  readonly file?: string
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'silent'
}): Logger {
  const destination = pino.destination({
    ...(input.file === undefined ? { fd: 2 } : { dest: input.file, mkdir: true, mode: 0o600 }),
    sync: true,
  })
  const sink: Pino = pino(
    {
      name: input.name,
      level: input.level ?? 'info',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return {
    debug: (event, fields) => sink.debug(allowed(fields), event),
    info: (event, fields) => sink.info(allowed(fields), event),
    warn: (event, fields) => sink.warn(allowed(fields), event),
    error: (event, fields) => sink.error(allowed(fields), event),
    fault: (event, thrown, fields) =>
      sink.error(allowed({ ...fields, ...explainThrown(thrown) }), event),
    flush: () => sink.flush(),
  }
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fault: () => undefined,
  flush: () => undefined,
}

export function allowed(fields: LogFields | undefined): Record<string, string | number> {
  const out: Record<string, string | number> = {}
  if (fields === undefined) return out
  for (const name of texts) {
    const value: unknown = fields[name]
    if (typeof value === 'string') out[name] = value.slice(0, textCharactersMax)
  }
  for (const name of numbers) {
    const value: unknown = fields[name]
    if (typeof value === 'number') out[name] = value
  }
  return out
}

function explainThrown(thrown: unknown): LogFields {
  if (thrown instanceof Error) {
    const { code, inward } = thrown as { code?: unknown; inward?: unknown }
    return {
      code: typeof code === 'string' ? code : thrown.name,
      // The message of a foreign error may quote its input, so only a fault's own words are kept.
      ...(typeof inward === 'string' ? { detail: inward } : {}),
    }
  }
  return { code: typeof thrown }
}
