import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { unzipSync } from 'fflate'
import { ConfigurationError } from '../configuration.ts'
import type { Artifact } from '../configuration/artifact.ts'

/** `e_machine` of an ELF file ("Machine Information", System V ABI). */
const MACHINES: Record<number, lambda.Architecture> = {
  62: lambda.Architecture.X86_64,
  183: lambda.Architecture.ARM_64,
}

/**
 * A function's code from a prebuilt zip.
 *
 * @throws {ConfigurationError} for a local file that is not a zip of `make dist` for the architecture
 */
export function artifactCode(artifact: Artifact, functionName: string, architecture: lambda.Architecture): lambda.Code {
  const zip = `${functionName}.zip`
  if ('bucket' in artifact) {
    return new CodeInBucket(artifact.bucket, 'key' in artifact ? artifact.key : `${artifact.prefix}${zip}`)
  }
  const file = 'file' in artifact ? artifact.file : join(artifact.folder, zip)
  const found = fault(file, architecture)
  if (found !== undefined) {
    const accepted = `the zip of make dist ARCHITECTURE=${architecture.name}, with a file bootstrap`
    throw new ConfigurationError(`artifact: found ${found}; accepted: ${accepted}`)
  }
  return lambda.Code.fromAsset(file)
}

/** As `Code.fromBucket`, which needs a bucket in a stack that exists already. */
class CodeInBucket extends lambda.Code {
  readonly isInline = false
  readonly #s3Location: { bucketName: string; objectKey: string }

  constructor(bucketName: string, objectKey: string) {
    super()
    this.#s3Location = { bucketName, objectKey }
  }

  override bind(): lambda.CodeConfig {
    return { s3Location: this.#s3Location }
  }
}

/** What a file is instead of a zip with one executable file for the architecture, or `undefined`. */
function fault(file: string, architecture: lambda.Architecture): string | undefined {
  let zip: Buffer
  try {
    zip = readFileSync(file)
  } catch (error) {
    return `${file}, which can't be read (${(error as NodeJS.ErrnoException).code})`
  }
  const entries = unzipped(zip)
  if (entries === undefined) return `${file}, which is no zip`
  const names = Object.keys(entries)
  if (names.join() !== 'bootstrap') return `${file} with ${names.join(', ') || 'no file'}`
  const machine = machineOf(Buffer.from(entries.bootstrap!))
  if (machine === undefined) return `${file}, whose bootstrap is no executable for x86_64 or arm64`
  return machine === architecture ? undefined : `${file}, whose bootstrap is for ${machine.name}`
}

function machineOf(elf: Buffer): lambda.Architecture | undefined {
  const isElf = elf.length > 20 && elf.toString('latin1', 0, 4) === '\x7fELF'
  return isElf ? MACHINES[elf.readUInt16LE(18)] : undefined
}

function unzipped(zip: Uint8Array): Record<string, Uint8Array> | undefined {
  try {
    return unzipSync(zip)
  } catch {
    return undefined
  }
}
