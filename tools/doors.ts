/**
 * Which rooms a room may open. The lint configuration is made from this table
 * (`node tools/doors.ts --write`), and `test/house.test.ts` fails when it is stale.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const rooms = [
  'words',
  'gate',
  'identify',
  'inspect',
  'decide',
  'record',
  'forward',
  'register',
  'review',
  'workstation',
  'evidence',
  'wire',
  'store',
  'blob',
  'stream',
  'telemetry',
  'api',
  'cli',
] as const
export type Room = (typeof rooms)[number]

export const doors: Readonly<Record<Room, readonly Room[]>> = {
  words: [],
  // the road: these meet in main.ts, and gate/pass.ts receives them as arguments
  gate: ['words', 'wire'],
  identify: ['words'],
  inspect: ['words', 'wire'],
  decide: ['words'],
  record: ['words', 'blob'],
  forward: ['words'],
  // what decides
  register: ['words', 'wire', 'store', 'blob', 'record', 'decide'],
  review: ['words', 'wire', 'store', 'blob', 'record'],
  workstation: ['words', 'wire', 'store', 'blob', 'record'],
  evidence: ['words', 'wire', 'store', 'blob', 'record'],
  // what the rooms stand on
  wire: ['words'],
  store: ['words'],
  blob: ['words'],
  stream: ['words'],
  telemetry: ['words'],
  // the people's side
  api: ['words', 'register', 'record', 'evidence', 'store', 'blob', 'decide'],
  cli: ['words', 'api', 'register', 'record', 'evidence', 'decide', 'wire'],
}

export function lintConfiguration(): string {
  const overrides = rooms.map((room) => ({
    files: [`src/${room}/**/*.ts`],
    excludeFiles: [`src/${room}/**/*.test.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['../*', '#main.ts'],
              message: 'No way out of a room by ../, and nobody imports main.ts.',
            },
            {
              group: rooms
                .filter((other) => other !== room && !doors[room].includes(other))
                .map((other) => `#${other}/*`),
              message: `src/${room} may open: ${doors[room].join(', ') || 'nothing'}.`,
            },
          ],
        },
      ],
    },
  }))
  const configuration = {
    $schema: './node_modules/oxlint/configuration_schema.json',
    plugins: ['typescript', 'unicorn', 'import', 'promise', 'vitest'],
    categories: { correctness: 'error', suspicious: 'warn' },
    rules: {
      'typescript/no-floating-promises': 'error',
      'typescript/no-misused-promises': 'error',
      'typescript/await-thenable': 'error',
      'typescript/no-explicit-any': 'error',
      'import/no-cycle': 'error',
      'eslint/no-empty': 'error',
      'vitest/no-focused-tests': 'error',
      'unicorn/no-array-sort': 'off',
      'unicorn/no-array-reverse': 'off',
      'eslint/no-shadow': 'off',
      'vitest/no-conditional-expect': 'off',
      'vitest/require-mock-type-parameters': 'off',
      'eslint/no-await-in-loop': 'off',
      // Flags that a loop waits for are changed elsewhere, in a callback; the rule cannot see it.
      'eslint/no-unmodified-loop-condition': 'off',
      'import/no-named-as-default-member': 'off',
      'eslint/no-control-regex': 'off',
      'typescript/no-unsafe-type-assertion': 'off',
      // `using _lock = …` holds something for its end only.
      'eslint/no-underscore-dangle': 'off',
      'unicorn/consistent-function-scoping': 'off',
      'unicorn/require-post-message-target-origin': 'off',
      'promise/always-return': 'off',
      'import/no-unassigned-import': 'off',
      // Vitest's `expect(value, message)`.
      'vitest/valid-expect': ['error', { maxArgs: 2 }],
    },
    ignorePatterns: ['node_modules', 'dist', '.postern', 'coverage'],
    overrides: [
      ...overrides,
      // The harness registers suites for others: what it does in their name is no test of its own.
      {
        files: ['test/harness/**/*.ts'],
        rules: {
          'vitest/no-conditional-tests': 'off',
          'vitest/valid-describe-callback': 'off',
          'vitest/valid-title': 'off',
          'vitest/expect-expect': 'off',
        },
      },
    ],
  }
  return `${JSON.stringify(configuration, null, 2)}\n`
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes('--write')) writeFileSync('.oxlintrc.json', lintConfiguration())
  else if (readFileSync('.oxlintrc.json', 'utf8') !== lintConfiguration()) {
    process.stderr.write('stale: run `node tools/doors.ts --write`\n')
    process.exitCode = 1
  }
}
