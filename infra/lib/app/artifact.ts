import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
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
    const accepted = `the zip of make dist ARCHITECTURE=${architecture.name}, with an executable bootstrap`
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

/** What a file is instead of a zip with one executable for the architecture, or `undefined`. */
function fault(file: string, architecture: lambda.Architecture): string | undefined {
  let zip: Buffer
  try {
    zip = readFileSync(file)
  } catch (error) {
    return `${file}, which can't be read (${(error as NodeJS.ErrnoException).code})`
  }
  const entries = filesOf(zip)
  if (entries === undefined) return `${file}, which is no zip`
  const names = [...entries.keys()]
  if (names.join() !== 'bootstrap') return `${file} with ${names.join(', ') || 'no file'}`
  const machine = machineOf(entries.get('bootstrap')!)
  if (machine === undefined) return `${file}, whose bootstrap is no executable for x86_64 or arm64`
  return machine === architecture ? undefined : `${file}, whose bootstrap is for ${machine.name}`
}

function machineOf(elf: Buffer): lambda.Architecture | undefined {
  const isElf = elf.length > 20 && elf.toString('latin1', 0, 4) === '\x7fELF'
  return isElf ? MACHINES[elf.readUInt16LE(18)] : undefined
}

/**
 * The files of a zip, or `undefined` if it is none.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
function filesOf(zip: Buffer): Map<string, Buffer> | undefined {
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  if (end < 0) return undefined
  try {
    const files = new Map<string, Buffer>()
    let header = zip.readUInt32LE(end + 16)
    for (let count = zip.readUInt16LE(end + 10); count > 0; count--) {
      const nameLength = zip.readUInt16LE(header + 28)
      files.set(zip.toString('utf8', header + 46, header + 46 + nameLength), contentOf(zip, header))
      header += 46 + nameLength + zip.readUInt16LE(header + 30) + zip.readUInt16LE(header + 32)
    }
    return files
  } catch {
    return undefined
  }
}

/** The content of the file with this header in the central directory. */
function contentOf(zip: Buffer, header: number): Buffer {
  const local = zip.readUInt32LE(header + 42)
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const content = zip.subarray(start, start + zip.readUInt32LE(header + 20))
  const isStored = zip.readUInt16LE(header + 10) === 0
  return isStored ? content : inflateRawSync(content)
}
