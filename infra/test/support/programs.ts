import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** The tools of `make tools`. */
export const TOOLS = `${ROOT}.venv/bin`
export const LAMBDA_TOOLS = `${ROOT}.venv-lambda/bin`

/** The architecture of this machine, for which tests build functions: not every machine has the standard library of another target. */
export const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'x86_64'

/** The time limits of a condition and of a build. */
const LIMIT_MS = 60_000
const BUILD_LIMIT_MS = 30 * 60_000

// Functions, too, are built by the features of the selection: see `crates/test-support/bin/cargo`.
const cargo = process.env.CARGO_SELECTION ? { CARGO: `${ROOT}crates/test-support/bin/cargo`, TEST_CARGO: 'cargo' } : {}
const environment = { ...process.env, ...cargo, PATH: [TOOLS, LAMBDA_TOOLS, process.env.PATH].join(delimiter) }

/** Runs a program in `cwd` with `variables`, and returns its standard output. */
export function run(program: string, args: string[], cwd = ROOT, variables: Record<string, string> = {}): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: { ...environment, ...variables },
    encoding: 'utf8',
    timeout: BUILD_LIMIT_MS,
    maxBuffer: 64 * 1024 * 1024,
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} exited with ${status}: ${stdout}${stderr}`)
  return stdout
}

/** The executables that tests run. One build of all shares the dependencies. */
const BINARIES = ['clicks', 'mysfits-local', 'click-collector'] as const
const PACKAGES = '--package clicks --package mysfits-service --package click-collector'
let executables: string[] | undefined

/** Builds the executables once, and returns the path of one. The variable `CARGO_SELECTION` replaces the selection of packages. */
export function built(binary: (typeof BINARIES)[number]): string {
  executables ??= build()
  return executables.findLast((executable) => executable.endsWith(`/${binary}`))!
}

function build(): string[] {
  const selection = (process.env.CARGO_SELECTION ?? PACKAGES).split(' ')
  const binaries = BINARIES.flatMap((name) => ['--bin', name])
  const messages = run('cargo', ['build', '--locked', ...selection, ...binaries, '--message-format', 'json'])
  return messages
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => (JSON.parse(line) as { executable?: string | null }).executable ?? [])
}

/** A program that runs until it is stopped. */
export class Background {
  readonly #child: ChildProcess
  #output = ''

  constructor(program: string, args: string[], variables: Record<string, string> = {}) {
    this.#child = spawn(program, args, {
      cwd: ROOT,
      env: { ...environment, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.on('data', (data) => (this.#output += data))
    }
  }

  /** Waits until the output matches, and returns the match. */
  async printed(pattern: RegExp): Promise<RegExpMatchArray> {
    return this.until(() => this.#output.match(pattern))
  }

  /** Waits until `found` returns a value. */
  async until<T>(found: () => T | null | undefined | Promise<T | null | undefined>): Promise<T> {
    for (const end = Date.now() + LIMIT_MS; Date.now() < end;) {
      const result = await found()
      if (result !== null && result !== undefined) return result
      if (this.#child.exitCode !== null)
        throw new Error(`the program exited with ${this.#child.exitCode}: ${this.#output}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`timed out after ${LIMIT_MS} ms: ${this.#output}`)
  }

  /** Sends SIGTERM, and waits until the program has exited. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGTERM')
    await exited
  }
}

/** A free port. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
