import { expect, test } from 'vitest'
import { repositoryName } from './repository.ts'

test.each([
  ['https://github.com/acme/app', 'github.com/acme/app'],
  ['https://ada:ghp_secret@GitHub.com/acme/app.git', 'github.com/acme/app'],
  ['ssh://git@git.acme.example:2222/team/app.git', 'git.acme.example/team/app'],
  ['git@github.com:acme/app.git', 'github.com/acme/app'],
  ['github.com/acme/app/', 'github.com/acme/app'],
  ['/home/ada/app', 'unknown'],
  ['file:///home/ada/app', 'unknown'],
  ['https://github.com/acme/../other', 'unknown'],
  ['x'.repeat(400), 'unknown'],
  ['', 'unknown'],
])('%s is %s', (said, name) => {
  expect(repositoryName(said)).toBe(name)
})
