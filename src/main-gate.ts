/** The gate process: supervises its workers, keeps the channel to control, ships the spools. */
import { mkdirSync, readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { openGateKeys } from '#api/key-files.ts'
import { timeHolds } from '#api/contract/gate-channel.ts'
import { homePaths, readRoot } from '#api/home.ts'
import { writeDurably } from '#api/durable-file.ts'
import { checkSuccession, openBundle } from '#decide/bundle.ts'
import type { OpenedBundle } from '#decide/bundle.ts'
import { openSeenFile } from '#decide/seen-file.ts'

import { openControlChannel } from '#gate/control-channel.ts'
import type { Pushed } from '#gate/control-channel.ts'
import { openAuthorityFiles } from '#gate/authority-files.ts'
import { loadConfig } from '#register/config-file.ts'
import type { Config } from '#register/config-file.ts'
import type { RootFile } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import { createLogger } from '#telemetry/logger.ts'
import { startShipping } from './main-shipping.ts'
import type { Shipping } from './main-shipping.ts'
import type { FromWorker, ToWorker, VerdictEvent, WorkerData } from './main-messages.ts'

export type Gate = {
  readonly baseUrlPort: number
  readonly tlsPort: number
  close(graceMs: number): Promise<void>
}

/**
 * Starts a gate. It needs a signed bundle and a disk: the last accepted bundle is enough, and with
 * neither bundle nor control within `bundleWaitMs` it fails with `bundle-invalid`.
 */
export async function startGate(options: {
  readonly home: string
  readonly world: World
  readonly onVerdict: ((event: VerdictEvent) => void) | null
  readonly bundleWaitMs: number
  /** Over the configuration's own, e.g. for the sample provider. */
  readonly providerBaseUrls: Readonly<Record<string, string>>
  readonly allowUpstream: readonly string[]
}): Promise<Gate> {
  const paths = homePaths(options.home)
  const config = loadConfig(options.home)
  const root = readRoot(options.home)
  const dir = join(options.home, 'gate')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const log = createLogger({
    name: 'gate',
    file: join(paths.logs, 'gate.log'),
    level: config.logs.level,
  })
  const accepted = new AcceptedBundle(dir, root, options.world)
  const workers: Worker[] = []
  const tell = (message: ToWorker): void => workers.forEach((worker) => worker.postMessage(message))

  let arrived: (() => void) | null = null
  const onPushed = (pushed: Pushed): void => {
    // Only a signed time moves the clock of policy.
    if (pushed.kind === 'time' && timeHolds(pushed, root)) tell({ kind: 'time', ms: pushed.ms })
    if (pushed.kind !== 'bundle') return
    try {
      if (!accepted.offer(pushed.bundle)) return
      tell({ kind: 'bundle', bundle: pushed.bundle })
      log.info('bundle-accepted', { counter: accepted.counter })
      arrived?.()
    } catch (cause) {
      // A bundle that we may not take is not a reason to stop: the last one goes on.
      log.fault('bundle-refused', cause)
    }
  }
  const channel = openControlChannel({
    socketPath: paths.gateSocket,
    name: config.gateName,
    afterCounter: () => accepted.counter,
    on: onPushed,
    onState: (state, why) => log.info(`control-${state}`, { detail: why }),
  })
  if (accepted.text === null) {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(noBundle()), options.bundleWaitMs)
      arrived = () => {
        clearTimeout(late)
        resolve()
      }
    })
  }
  arrived = null

  const authority = await openAuthorityFiles({
    dir: paths.ca,
    world: options.world,
    name: `Postern ${config.gateName}`,
    catalog: accepted.opened().parts.ground.catalog,
  })
  let closing = false
  let shipping: Shipping | null = null
  const ticketKeys = options.world.randomBytes(48)
  let ports = { baseUrlPort: config.listen.baseUrlPort, tlsPort: config.listen.tlsPort }
  const nodes: { node: NodeId; spoolDir: string }[] = []
  for (let index = 0; index < config.workers; index++) {
    const node = `${config.gateName}/${index}` as NodeId
    const keys = openGateKeys(paths.keys, node)
    const spoolDir = join(paths.spool, String(index))
    nodes.push({ node, spoolDir })
    const data: WorkerData = {
      role: 'gate-worker',
      node,
      origin: root.origin,
      rootFile: paths.root,
      timeFile: join(dir, `time-${index}.json`),
      spoolDir,
      nodeKeyPem: keys.node.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      sealingPublicPem: keys.sealTo.export({ format: 'pem', type: 'spki' }) as string,
      pseudonymKey: keys.pseudonym.secret,
      bundle: accepted.text as string,
      host: config.listen.host,
      ...ports,
      authority,
      ticketKeys,
      providerBaseUrls: { ...config.providerBaseUrls, ...options.providerBaseUrls },
      upstreamAddressesAllowed: [...config.upstreamAddressesAllowed, ...options.allowUpstream],
      upstreamCaPems: readPems(config),
      requestBodyBytesMax: config.limits.requestBodyBytesMax,
      bytesInFlightMax: Math.floor(config.limits.bytesInFlightMax / config.workers),
      feed: options.onVerdict !== null,
    }
    const worker = new Worker(new URL('./main.ts', import.meta.url), { workerData: data })
    workers.push(worker)
    const ready = await firstReady(worker)
    // With port 0 the first worker finds a free one, and the others join it.
    ports = { baseUrlPort: ready.baseUrlPort, tlsPort: ready.tlsPort }
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'verdict') options.onVerdict?.(message)
      if (message.kind === 'log') log[message.level](message.event, { detail: message.detail })
      if (message.kind === 'durable') shipping?.durable(node, message)
    })
    worker.on('error', (error) => log.error('worker-failed', { detail: String(error) }))
    // Half a gate is not a gate: the supervisor starts all of it again.
    worker.on('exit', (code) => {
      if (!closing) process.exit(code === 0 ? 1 : code)
    })
  }
  shipping = startShipping({
    nodes,
    root,
    paths,
    log,
    onFreed: (node, bytes) => {
      const at = nodes.findIndex((one) => one.node === node)
      workers[at]?.postMessage({ kind: 'freed', bytes } satisfies ToWorker)
    },
  })
  const shipped = shipping
  return {
    ...ports,
    async close(graceMs) {
      closing = true
      channel.close()
      await Promise.all(workers.map((worker) => closeWorker(worker, graceMs)))
      await shipped.close(shipMsMax)
    },
  }
}

/** How long a gate that ends tries to hand over what is in its spools. */
const shipMsMax = 5_000

/** The last bundle that this gate took, on disk, with the highest counter that it ever saw. */
class AcceptedBundle {
  readonly #file: string
  readonly #root: RootFile
  #text: string | null = null
  #opened: OpenedBundle | null = null

  readonly #seen: ReturnType<typeof openSeenFile>
  readonly #world: World

  constructor(dir: string, root: RootFile, world: World) {
    this.#file = join(dir, 'bundle.json')
    this.#root = root
    this.#world = world
    this.#seen = openSeenFile(join(dir, 'seen.json'))
    if (!existsSync(this.#file)) return
    const text = readFileSync(this.#file, 'utf8')
    const opened = openBundle(text, root)
    // Whoever put an older bundle in the place of the last one does not get it enforced.
    checkSuccession(null, opened, root, { seen: this.#seen.seen(), nowMs: world.nowMs() })
    this.#opened = opened
    this.#text = text
  }

  get counter(): number {
    return this.#opened?.manifest.counter ?? -1
  }

  get text(): string | null {
    return this.#text
  }

  opened(): OpenedBundle {
    if (this.#opened === null) throw noBundle()
    return this.#opened
  }

  /** True when it is new. Throws when it may not be taken: forged, older, loosening unsigned. */
  offer(text: string): boolean {
    const next = openBundle(text, this.#root)
    if (this.#opened?.digest === next.digest) return false
    checkSuccession(this.#opened, next, this.#root, {
      seen: this.#seen.seen(),
      nowMs: this.#world.nowMs(),
    })
    writeDurably(this.#file, text)
    this.#seen.remember(next)
    this.#opened = next
    this.#text = text
    return true
  }
}

function noBundle(): Fault {
  return new Fault('bundle-invalid', {
    outward: 'There is no bundle yet, and control did not send one.',
  })
}

function readPems(config: Config): string[] {
  return config.upstreamCaFile === undefined ? [] : [readFileSync(config.upstreamCaFile, 'utf8')]
}

function firstReady(worker: Worker): Promise<{ baseUrlPort: number; tlsPort: number }> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.on('message', function ready(message: FromWorker) {
      if (message.kind !== 'ready') return
      worker.off('message', ready)
      worker.off('error', reject)
      resolve(message)
    })
  })
}

function closeWorker(worker: Worker, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    worker.once('exit', () => resolve())
    worker.postMessage({ kind: 'close', graceMs } satisfies ToWorker)
    setTimeout(() => void worker.terminate(), graceMs + 5_000).unref()
  })
}
