import { readdirSync } from 'node:fs'
import { ARCHITECTURE, Background, freePort, TOOLS } from './programs.ts'

/** Runs `use` with a function's executable under AWS's Runtime Interface Emulator, with `variables`. */
export async function withEmulator(
  executable: string,
  variables: Record<string, string>,
  use: (invoke: (event: string) => Promise<string>) => Promise<void>,
): Promise<void> {
  const [port, runtimeApi] = [await freePort(), await freePort()]
  const emulator = new Background(
    emulatorProgram(),
    [
      '--runtime-interface-emulator-address',
      `127.0.0.1:${port}`,
      '--runtime-api-address',
      `127.0.0.1:${runtimeApi}`,
      executable,
    ],
    variables,
  )
  try {
    const invocations = `http://127.0.0.1:${port}/2015-03-31/functions/function/invocations`
    await use((event) => emulator.until(() => posted(invocations, event)))
  } finally {
    await emulator.stop()
  }
}

/** The SAM CLI has one emulator for each architecture. */
function emulatorProgram(): string {
  const python = readdirSync(`${TOOLS}/../lib`).find((name) => name.startsWith('python'))
  return `${TOOLS}/../lib/${python}/site-packages/samcli/local/rapid/aws-lambda-rie-${ARCHITECTURE}`
}

/** The response, or `undefined` while the port is closed. */
export async function posted(
  url: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<string | undefined> {
  const response = await fetch(url, { method: 'POST', body, headers }).catch(() => undefined)
  const text = await response?.text()
  if (response && response.status !== 200) throw new Error(`${url} returned ${response.status}: ${text}`)
  return text
}
