/**
 * One gate worker, put together: this file and its neighbours `main*.ts` are the only ones that
 * know every room.
 */
import { readFileSync } from 'node:fs'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { createDecider } from '#decide/decider.ts'
import { openBundle } from '#decide/bundle.ts'
import type { OpenedBundle } from '#decide/bundle.ts'
import { parseRoot } from '#decide/root.ts'
import { openPolicyTime } from '#decide/policy-time.ts'
import { createForwarder } from '#forward/forwarder.ts'
import { InFlight } from '#gate/in-flight.ts'
import { OpenExchanges } from '#gate/open-streams.ts'
import type { Arrival, Rooms } from '#gate/rooms.ts'
import { compileRoutes } from '#gate/routes.ts'
import { openCatalogTlsDoor } from '#gate/catalog-tls-door.ts'
import { startWorker } from '#gate/worker.ts'
import { createIdentifier } from '#identify/identifier.ts'
import { createStrangers } from '#identify/strangers.ts'
import { createInspector } from '#inspect/inspector.ts'
import { openRecorder } from '#record/recorder.ts'
import { limits } from '#words/limits.ts'
import type { NodeId } from '#words/ids.ts'
import { testableWorld } from './main-world.ts'
import type { FromWorker, ToWorker, WorkerData } from './main-messages.ts'

const data = workerData as WorkerData
const world = testableWorld()
const say = (message: FromWorker): void => parentPort?.postMessage(message)
const log: Rooms['log'] = (level, event, detail) => say({ kind: 'log', level, event, detail })

const root = parseRoot(readFileSync(data.rootFile, 'utf8'))
const time = openPolicyTime({ world, file: data.timeFile })

/** Everything that follows from the bundle: swapped whole, so no request sees half of each. */
type Enforced = ReturnType<typeof enforce>
let enforced = enforce(openBundle(data.bundle, root))

function enforce(bundle: OpenedBundle) {
  const { ground, principals, revocations } = bundle.parts
  return {
    bundle,
    decider: createDecider({
      world,
      time,
      bundle,
      onMismatch: (mismatch) => log('error', 'oracle-mismatch', mismatch),
    }),
    identifier: createIdentifier({
      world,
      bundle: { ground, principals, revocations, origin: bundle.manifest.origin },
    }),
    routes: compileRoutes(ground.catalog, {
      sharedHostsOn: ground.sharedHostsOn,
      baseUrls: data.providerBaseUrls,
    }),
  }
}

const inspector = createInspector({ world })
const forwarder = createForwarder({
  world,
  upstreamAddressesAllowed: data.upstreamAddressesAllowed,
  caPems: data.upstreamCaPems,
})
const strangers = createStrangers({ world })
const open = new OpenExchanges()
const recorder = await openRecorder({
  world,
  dir: data.spoolDir,
  node: data.node as NodeId,
  signingKey: createPrivateKey(data.nodeKeyPem),
  sealTo: createPublicKey(data.sealingPublicPem),
  pseudonymKey: Buffer.from(data.pseudonymKey),
  origin: data.origin,
})

const rooms: Rooms = {
  world,
  policyNowMs: () => time.nowMs(),
  identify: (arrival: Arrival) =>
    enforced.identifier.identify({
      rawHeaders: arrival.rawHeaders,
      peer: arrival.peer,
      provider: arrival.route.provider,
      nowMs: time.nowMs(),
      ...(arrival.proxyCredential === undefined
        ? {}
        : { proxyCredential: arrival.proxyCredential }),
    }),
  identifyTunnel: (proxyCredential, peer) =>
    enforced.identifier.identifyTunnel({
      rawHeaders: [],
      peer,
      nowMs: time.nowMs(),
      proxyCredential,
    }),
  inspect: (exchange, callerKey) => inspector.inspect(exchange, callerKey),
  readAnswer: (exchange, content, head) => inspector.readAnswer(exchange, content, head),
  decide: (exchange, caller, content) => enforced.decider.decide(exchange, caller, content),
  connection: (caller, host, port) => enforced.decider.connection(caller, host, port),
  record: {
    async open(exchange, caller, content, verdict) {
      const asked = enforced.decider.cedarRequest(exchange, caller, content)
      const entry = await recorder.open(exchange, caller, content, verdict, asked)
      if (data.feed) {
        say({
          kind: 'verdict',
          atMs: exchange.atMs,
          door: exchange.door,
          tool: caller.tool,
          release: caller.release,
          purpose: exchange.purpose,
          model: content.model,
          verdict: verdict.kind,
          wouldBe: verdict.wouldBe,
          message: verdict.message,
          reason: verdict.because[0]?.words ?? '',
          reference: exchange.id,
        })
      }
      return entry
    },
    note: (draft) => recorder.note(draft),
  },
  forward: forwarder,
  routes: () => enforced.routes,
  inFlight: new InFlight({
    bytesMax: data.bytesInFlightMax,
    waitMs: limits.busyWaitMsMax,
    waitersMax: limits.busyWaitersMax,
  }),
  open,
  strangers,
  defaultProfile: () => enforced.bundle.parts.ground.defaultProfile,
  requestBodyBytesMax: data.requestBodyBytesMax,
  originOf: (provider, host, port, scheme) =>
    new URL(data.providerBaseUrls[provider] ?? `${scheme}://${host}:${port}`),
  log,
}

const reconsider: Parameters<typeof open.reconsider>[0] = (held) =>
  enforced.decider.reconsider(held)

const worker = await startWorker(rooms, open, {
  host: data.host,
  baseUrlPort: data.baseUrlPort,
  reusePort: true,
  openTlsDoor:
    data.authority === null
      ? null
      : () =>
          openCatalogTlsDoor(rooms, data.authority as NonNullable<WorkerData['authority']>, {
            host: data.host,
            port: data.tlsPort,
            reusePort: true,
            ticketKeys: Buffer.from(data.ticketKeys),
          }),
  reconsider,
})

parentPort?.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'bundle':
      enforced = enforce(openBundle(message.bundle, root))
      open.reconsider(reconsider, world.monotonicMs())
      return
    case 'time':
      time.learn(message.ms)
      return
    case 'freed':
      recorder.freed(message.bytes)
      return
    case 'close':
      void close(message.graceMs)
      return
  }
})

async function close(graceMs: number): Promise<void> {
  await worker.close(graceMs)
  await recorder.close()
  tellDurable()
  await forwarder.close()
  say({ kind: 'closed' })
  process.exit(0)
}

// The main thread ships what is durable, and no more.
let told = -1
const tellDurable = (): void => {
  const at = recorder.durable()
  if (at.counter === told) return
  told = at.counter
  say({ kind: 'durable', ...at })
}
setInterval(tellDurable, 100).unref()

say({ kind: 'ready', ...worker.addresses })

export type { Enforced }
