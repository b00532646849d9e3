/** Starts what was asked for: a gate worker's thread, or a command. Nothing is imported before. */
import { isMainThread, workerData } from 'node:worker_threads'

const role = isMainThread ? null : (workerData as { role?: string } | null)?.role
if (role === 'gate-worker') await import('./main-worker.ts')
else {
  const { runCommand } = await import('./main-command.ts')
  await runCommand(process.argv)
}
