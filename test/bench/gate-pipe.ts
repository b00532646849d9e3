/**
 * Child process: the bare Node pipe that the gate is compared with. As many worker threads as the
 * gate has, all on one port; each copies a request up and its answer down, and does nothing else.
 */
import { Agent, createServer, request } from 'node:http'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import type { AddressInfo } from 'node:net'

type Settings = { readonly port: number; readonly provider: number }

if (isMainThread) {
  const provider = Number(process.argv[2])
  const workers = Number(process.argv[3])
  let port = 0
  for (let at = 0; at < workers; at++) {
    const settings: Settings = { port, provider }
    const worker = new Worker(new URL(import.meta.url), { workerData: settings })
    port = await new Promise<number>((resolve) => worker.once('message', resolve))
  }
  process.send?.({ kind: 'ready', port })
  process.once('disconnect', () => process.exit(0))
} else {
  const { port, provider } = workerData as Settings
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  const server = createServer({ highWaterMark: 256 * 1024 }, (req, res) => {
    const up = request(
      {
        agent,
        host: '127.0.0.1',
        port: provider,
        method: req.method,
        path: req.url,
        headers: req.rawHeaders,
        setDefaultHeaders: false,
      },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        answer.pipe(res)
      },
    )
    up.on('error', () => res.destroy())
    req.pipe(up)
  })
  server.listen({ host: '127.0.0.1', port, reusePort: true }, () => {
    parentPort?.postMessage((server.address() as AddressInfo).port)
  })
}
