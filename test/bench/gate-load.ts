/** Child process: the load. Closed loop with so many clients, or open loop at so many a second. */
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Duplex } from 'node:stream'
import { Talk } from './gate-bodies.ts'
import type { Kind } from './gate-bodies.ts'

export type Job = {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Through a CONNECT proxy, to this name, under this CA. */
  readonly tls?: {
    readonly name: string
    readonly authorization: string
    readonly ca: string
  }
  readonly kind: Kind
  readonly bytes: number
  readonly stream: boolean
  readonly clients: number
  readonly warmUpMs: number
  readonly measureMs: number
  /** Open loop: requests a second, sent on time whatever came back. */
  readonly perSecond?: number
}

export type Done = {
  readonly count: number
  readonly seconds: number
  readonly totalMs: readonly number[]
  readonly firstByteMs: readonly number[]
  readonly errors: number
  readonly error: string
}

type Sample = { readonly totalMs: number; readonly firstByteMs: number }

class TunnelAgent extends Agent {
  readonly #job: Job

  constructor(job: Job) {
    super({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
    this.#job = job
  }

  override createConnection(
    _options: object,
    done?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    const { host, port, tls } = this.#job
    if (tls === undefined) throw new Error('a tunnel needs a name')
    const socket = connect({ host, port })
    const fail = (error: Error): void => done?.(error, socket)
    socket.once('error', fail)
    socket.write(
      `CONNECT ${tls.name}:443 HTTP/1.1\r\nhost: ${tls.name}:443\r\nproxy-authorization: ${tls.authorization}\r\n\r\n`,
    )
    socket.once('data', (chunk) => {
      const answer = chunk.toString('latin1')
      if (!answer.startsWith('HTTP/1.1 200')) return fail(new Error(answer.split('\r\n', 1)[0]))
      const secured = connectTls({ socket, servername: tls.name, ca: tls.ca }, () => {
        socket.off('error', fail)
        done?.(null, secured)
      })
      secured.once('error', fail)
    })
    return undefined
  }
}

function ask(job: Job, agent: Agent, body: Buffer): Promise<Sample> {
  const startMs = performance.now()
  return new Promise((resolve, reject) => {
    const req = request(
      {
        agent,
        host: job.host,
        port: job.port,
        method: 'POST',
        path: job.path,
        headers: { ...job.headers, 'content-length': body.length },
      },
      (res) => {
        let firstByteMs = -1
        res.on('data', () => {
          if (firstByteMs < 0) firstByteMs = performance.now() - startMs
        })
        res.once('error', reject)
        res.once('end', () => {
          if (res.statusCode === 200) resolve({ totalMs: performance.now() - startMs, firstByteMs })
          else reject(new Error(`status ${res.statusCode}`))
        })
      },
    )
    req.once('error', reject)
    req.end(body)
  })
}

async function run(job: Job): Promise<Done> {
  const agent =
    job.tls === undefined
      ? new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
      : new TunnelAgent(job)
  const samples: Sample[] = []
  let errors = 0
  let error = ''
  const fromMs = performance.now() + job.warmUpMs
  const endMs = fromMs + job.measureMs
  const one = async (talk: Talk): Promise<void> => {
    const body = talk.next()
    const startMs = performance.now()
    try {
      const sample = await ask(job, agent, body)
      if (startMs >= fromMs && performance.now() <= endMs) samples.push(sample)
    } catch (cause) {
      errors++
      error = String(cause)
      // A gate that is gone must not be asked in a tight loop.
      if (errors > 100) await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const talks = Array.from({ length: job.clients }, () => new Talk(job.kind, job.bytes, job.stream))
  if (job.perSecond === undefined) {
    const client = async (talk: Talk): Promise<void> => {
      while (performance.now() < endMs) await one(talk)
    }
    await Promise.all(talks.map(client))
  } else {
    const sent: Promise<void>[] = []
    const gapMs = 1_000 / job.perSecond
    for (let nth = 0; performance.now() < endMs; nth++) {
      sent.push(one(talks[nth % talks.length] as Talk))
      const waitMs = fromMs - job.warmUpMs + (nth + 1) * gapMs - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
    await Promise.all(sent)
  }
  agent.destroy()
  return {
    count: samples.length,
    seconds: job.measureMs / 1_000,
    totalMs: samples.map((sample) => sample.totalMs),
    firstByteMs: samples.map((sample) => sample.firstByteMs),
    errors,
    error,
  }
}

process.on('message', (job: Job) => {
  const report = async (): Promise<void> => void process.send?.(await run(job))
  void report()
})
process.once('disconnect', () => process.exit(0))
process.send?.({ kind: 'ready' })
