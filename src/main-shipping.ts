/** Carries the workers' spools to control, on the gate's main thread, away from the road. */
import { createPublicKey } from 'node:crypto'
import { request } from 'node:http'
import { openGateKeys } from '#api/key-files.ts'
import type { homePaths } from '#api/home.ts'
import { encodeBatch } from '#record/batch.ts'
import type { Ack, ShippedBatch } from '#record/batch.ts'
import { ed25519FromRaw, parseVerifierKey, verifierKeyText } from '#record/note.ts'
import type { VerifierKey } from '#record/note.ts'
import { createShipper } from '#record/shipping.ts'
import type { Shipper } from '#record/shipping.ts'
import type { Logger } from '#telemetry/logger.ts'
import type { RootFile } from '#words/bundle.ts'
import { Fault, invariant } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'

export type Shipping = {
  /** How far a worker's spool is on the disk. */
  durable(node: NodeId, at: { readonly segment: number; readonly counter: number }): void
  /** Ships what is left, for at most `waitMs`; what stays is shipped at the next start. */
  close(waitMs: number): Promise<void>
}

const answerBytesMax = 8 * 1024 * 1024
const sendMsMax = 60_000

/**
 * Enrols each node's key and starts its shipper. While control is away nothing is lost: spools
 * keep what no verified checkpoint covers.
 */
export function startShipping(input: {
  readonly nodes: readonly { readonly node: NodeId; readonly spoolDir: string }[]
  readonly root: RootFile
  readonly paths: ReturnType<typeof homePaths>
  readonly log: Logger
  readonly onFreed: (node: NodeId, bytes: number) => void
}): Shipping {
  const { paths, root, log } = input
  const positions = new Map<NodeId, { segment: number; counter: number }>()
  const enrolled = new Set<NodeId>()
  const logKey = logKeyOf(root)
  const shippers: Shipper[] = input.nodes.map(({ node, spoolDir }) => {
    const keys = openGateKeys(paths.keys, node)
    const send = async (batch: ShippedBatch): Promise<Ack> => {
      if (!enrolled.has(node)) {
        const enrolment = { node, publicKey: keys.node.publicKey, custody: 'device-user' }
        await post(paths.gateSocket, '/v1/nodes', Buffer.from(JSON.stringify(enrolment)))
        enrolled.add(node)
      }
      const path = `/v1/spool/${encodeURIComponent(node)}`
      return JSON.parse((await post(paths.gateSocket, path, encodeBatch(batch))).toString()) as Ack
    }
    const shipper = createShipper({
      spoolDir,
      node,
      origin: root.origin,
      nodeKey: createPublicKey(keys.node.privateKey),
      logKey,
      durable: () => positions.get(node) ?? { segment: 0, counter: 0 },
      freed: (bytes) => input.onFreed(node, bytes),
      send,
      onFault: (fault) => {
        // Control may have been restored from before our enrolment.
        enrolled.delete(node)
        log.fault('shipping', fault, { node })
      },
    })
    shipper.start()
    return shipper
  })
  return {
    durable(node, at) {
      positions.set(node, at)
      shippers[input.nodes.findIndex((one) => one.node === node)]?.wake()
    },
    async close(waitMs) {
      const late = new Promise<void>((resolve) => setTimeout(resolve, waitMs).unref())
      for (const shipper of shippers) {
        const drained = shipper.drain().catch((cause: unknown) => log.fault('shipping-left', cause))
        await Promise.race([drained, late])
        await shipper.stop()
      }
    },
  }
}

/** The pinned key of the log, as a C2SP verifier key. */
export function logKeyOf(root: RootFile): VerifierKey {
  const [first] = root.logKeys
  invariant(first !== undefined, 'a root file names a log key')
  const key = ed25519FromRaw(Buffer.from(first.publicKey, 'base64'))
  return parseVerifierKey(verifierKeyText(root.origin, key))
}

function post(socketPath: string, path: string, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        socketPath,
        path,
        method: 'POST',
        headers: { host: 'control', 'content-length': body.length },
        timeout: sendMsMax,
      },
      (res) => {
        const chunks: Buffer[] = []
        let bytes = 0
        res.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > answerBytesMax) req.destroy(new Error('the answer is above the bound'))
          else chunks.push(chunk)
        })
        res.once('end', () => {
          const text = Buffer.concat(chunks)
          if (res.statusCode !== undefined && res.statusCode < 300) resolve(text)
          else reject(away(`control answered ${res.statusCode}: ${text.toString('utf8', 0, 300)}`))
        })
        res.once('error', reject)
      },
    )
    req.once('timeout', () => req.destroy(new Error('control took too long')))
    req.once('error', (cause) => reject(away(cause.message)))
    req.end(body)
  })
}

function away(inward: string): Fault {
  return new Fault('control-unreachable', { outward: 'Control did not take the spool.', inward })
}
