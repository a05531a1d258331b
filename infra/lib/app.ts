import { type App, Duration, SecretValue, Size, type StackProps, Tags, Validations } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { AwsSolutionsChecks } from 'cdk-nag'
import type { AliasedFunctionOptions, Network } from './aliased-function.ts'
import { artifactCode } from './app/artifact.ts'
import { builtCode, type CodeOf, type FunctionName } from './app/code.ts'
import type { ObjectRetention } from './buckets.ts'
import type { ClickProcessorProps } from './click-processor.ts'
import { ClickStreamStack } from './click-stream-stack.ts'
import {
  type Configuration,
  hasClickStream,
  processorSettings,
  readConfiguration,
  serviceUrl,
} from './configuration.ts'
import { hasIngest } from './configuration/ingest.ts'
import { IngestStack } from './ingest-stack.ts'
import { MysfitsServiceStack } from './mysfits-service-stack.ts'
import type { AlarmOptions } from './operations.ts'
import { ProcessorStack } from './processor-stack.ts'
import type { IngestStreamProps } from './stream-ingest.ts'

/** What every stack has in common. */
interface Common {
  readonly configuration: Configuration
  readonly stackName: string
  /** A function's code, and the architecture that it is for. */
  readonly codeFor: (name: FunctionName) => Pick<AliasedFunctionOptions, 'code' | 'architecture'>
}

/**
 * Adds the configured stacks to `app`: the click stream if it has a service, the processor alone for a stream that exists, and the other
 * ingestion paths if there are any. Synthesis checks them against cdk-nag's AwsSolutions rules.
 *
 * @param environment the environment variables, a second source of options
 * @param codeOf where the functions' code is from without `artifact`
 * @throws {ConfigurationError} for invalid options
 */
export function clickStream(
  app: App,
  environment: Readonly<Record<string, string | undefined>>,
  codeOf: CodeOf = builtCode,
): void {
  const configuration = readConfiguration(app.node.getAllContext() as Record<string, unknown>, environment)
  const { artifact } = configuration
  const architecture = configuration.architecture === 'x86_64' ? lambda.Architecture.X86_64 : lambda.Architecture.ARM_64
  const common: Common = {
    configuration,
    stackName: configuration.stackName ?? 'ClickStream',
    codeFor: (name) => ({
      code: artifact ? artifactCode(artifact, name, architecture) : codeOf(name, architecture),
      architecture,
    }),
  }
  const click = hasClickStream(configuration) ? addClicks(app, common) : undefined
  if (hasIngest(configuration)) addIngest(app, common, click)
  for (const [key, value] of Object.entries(configuration.tags ?? {})) Tags.of(app).add(key, value)
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
}

/** Adds the click stream, with the service if it is deployed, and the processor alone if a stream that exists has it. */
function addClicks(app: App, common: Common): ClickStreamStack {
  const { configuration } = common
  const url = configuration.mysfitsService ? addMysfitsService(app, common).url : (serviceUrl(configuration) ?? '')
  const stack = addClickStream(app, common, url)
  if (configuration.streamRoleName !== undefined) addProcessor(app, common, url, configuration.streamRoleName)
  return stack
}

function addMysfitsService(app: App, { configuration, stackName, codeFor }: Common): MysfitsServiceStack {
  return new MysfitsServiceStack(app, 'MysfitsService', {
    ...codeFor('mysfits-service'),
    ...deployment(configuration),
    stackName: `${stackName}-MysfitsService`,
    description: 'The mysfits service of the click stream: GET /mysfits over DynamoDB.',
    logRetention: configuration.logDays,
    tracing: configuration.tracing,
  })
}

function addClickStream(app: App, common: Common, url: string): ClickStreamStack {
  const { configuration, stackName } = common
  return new ClickStreamStack(app, 'ClickStream', {
    ...deployment(configuration),
    stackName,
    description: 'Clicks on mysfits: from PUT /clicks through Amazon Data Firehose and the click processor into S3.',
    processor: processorProps(common, url),
    ...alarms(configuration),
    stream: {
      ...delivery(configuration),
      sourceBackup: configuration.sourceBackup,
      logRetention: configuration.logDays,
    },
    parquet: configuration.parquet,
    edge: {
      allowedOrigins: configuration.allowedOrigins,
      rate: configuration.edgeRate,
      burst: configuration.edgeBurst,
      createLogsRole: configuration.apiGatewayLogsRole,
      logRetention: configuration.logDays,
    },
    firewallRequests: configuration.firewallRequests,
    storage: retention(configuration),
    keepOwnAlarmTopic: hasIngest(configuration),
    fanOut: configuration.fanOut,
  })
}

function addProcessor(app: App, common: Common, url: string, streamRoleName: string): void {
  const { configuration, stackName } = common
  new ProcessorStack(app, 'Processor', {
    ...deployment(configuration),
    stackName: `${stackName}-Processor`,
    description:
      'The click processor alone, for an Amazon Data Firehose stream that exists: infra/attach.sh attaches it.',
    processor: processorProps(common, url),
    ...alarms(configuration),
    streamRoleName,
  })
}

/** The props of a processor with the service at `url`. Each stack needs its own: CDK allows an asset in one stack only. */
function processorProps({ configuration, codeFor }: Common, lookupApiUrl: string): ClickProcessorProps {
  return {
    ...codeFor('click-processor'),
    lookupApiUrl,
    lookupApiArn: configuration.lookupApiArn,
    settings: processorSettings(configuration),
    network: network(configuration),
    memorySize: configuration.memoryMb,
    timeout: seconds(configuration.timeoutSeconds),
    reservedConcurrentExecutions: configuration.reservedConcurrency,
    tracing: configuration.tracing,
    logLevel: configuration.logLevel && lambda.ApplicationLogLevel[configuration.logLevel],
    logRetention: configuration.logDays,
    bufferSize: mebibytes(configuration.bufferMb),
    bufferInterval: seconds(configuration.bufferSeconds),
    retries: configuration.retries,
  }
}

/** Adds the other ingestion paths. With the click stream, they share its processor and its alarm topic. */
function addIngest(app: App, { configuration, stackName, codeFor }: Common, click?: ClickStreamStack): void {
  const { collectorHashKeySecret, collectorHashKeySecretVersion } = configuration
  const stack = new IngestStack(app, 'Ingest', {
    ...deployment(configuration),
    stackName: `${stackName}-Ingest`,
    description: 'The ingestion paths besides PUT /clicks: a stream per service, and the collector, into S3.',
    streams: streams(configuration),
    authorization: configuration.ingestAuthorization,
    processor: click?.processor,
    collector: configuration.collector
      ? {
          ...codeFor('click-collector'),
          settings: {
            fields: configuration.collectorFields,
            partitionKeyField: configuration.collectorPartitionKeyField,
            maskFields: configuration.collectorMaskFields,
            hashFields: configuration.collectorHashFields,
            allowedOrigins: configuration.collectorAllowedOrigins,
          },
          rate: configuration.collectorRate,
          burst: configuration.collectorBurst,
          tracing: configuration.tracing,
          hashKey: secret(collectorHashKeySecret, collectorHashKeySecretVersion),
          shards: configuration.collectorShards,
          retention: hours(configuration.collectorRetentionHours),
          queue: configuration.collectorQueue,
          logLevel: configuration.logLevel && lambda.ApplicationLogLevel[configuration.logLevel],
        }
      : undefined,
    firewallRequests: configuration.firewallRequests,
    delivery: delivery(configuration),
    storage: retention(configuration),
    logRetention: configuration.logDays,
    pagerTopicArn: configuration.pagerTopicArn,
    silence: hours(configuration.alarmSilenceHours),
    ...(click
      ? { alarmTopic: click.alarmTopic }
      : {
          alarmTopicArn: configuration.alarmTopicArn,
          alarmEmail: configuration.alarmEmail,
          createLogsRole: configuration.apiGatewayLogsRole,
        }),
    fanOut: configuration.ingestFanOut,
  })
  if (!click) return
  // Always exported, so that streams can attach or detach the processor and alarms can change their topic: CloudFormation updates
  // the click stream first, and can't delete an export that the other stack still imports.
  click.exportValue(click.processor.alias.functionArn)
  click.exportValue(click.ownAlarmTopic!.topicArn)
  // Its APIs write logs with the account's role, which the click stream may create.
  stack.addStackDependency(click)
}

/** How every stack is deployed. */
function deployment({ region, terminationProtection }: Configuration): StackProps {
  return { env: { region }, terminationProtection }
}

/** The topics and thresholds of the click stream's alarms, and of the processor's. */
function alarms(configuration: Configuration): AlarmOptions {
  return {
    alarmTopicArn: configuration.alarmTopicArn,
    alarmEmail: configuration.alarmEmail,
    pagerTopicArn: configuration.pagerTopicArn,
    thresholds: {
      failedRecords: configuration.alarmFailedRecords,
      errorObjects: configuration.alarmErrorObjects,
      silence: hours(configuration.alarmSilenceHours),
    },
  }
}

/** The props of each stream. */
function streams(configuration: Configuration): Record<string, IngestStreamProps> {
  const given = Object.entries(configuration.streams ?? {})
  return Object.fromEntries(
    given.map(([name, { retentionHours, ...others }]) => [name, { ...others, retention: hours(retentionHours) }]),
  )
}

/** The delivery settings of every Firehose stream. */
function delivery(configuration: Configuration) {
  return {
    bufferingSize: mebibytes(configuration.destinationMb),
    bufferingInterval: seconds(configuration.destinationSeconds),
    compressed: configuration.compression && configuration.compression !== 'none',
  }
}

function retention({ deliveredDays, errorDays }: Configuration): ObjectRetention {
  return { deliveredRetention: days(deliveredDays), errorRetention: days(errorDays) }
}

function days(number: number | undefined): Duration | undefined {
  return number === undefined ? undefined : Duration.days(number)
}

function hours(number: number | undefined): Duration | undefined {
  return number === undefined ? undefined : Duration.hours(number)
}

function seconds(number: number | undefined): Duration | undefined {
  return number === undefined ? undefined : Duration.seconds(number)
}

function mebibytes(number: number | undefined): Size | undefined {
  return number === undefined ? undefined : Size.mebibytes(number)
}

function network({ lookupSubnets, lookupSecurityGroups }: Configuration): Network | undefined {
  return (
    lookupSubnets && {
      subnets: lookupSubnets.map((subnetId) => ({ subnetId })),
      securityGroups: (lookupSecurityGroups ?? []).map((securityGroupId) => ({ securityGroupId })),
    }
  )
}

function secret(name: string | undefined, versionId: string | undefined): SecretValue | undefined {
  return name === undefined ? undefined : SecretValue.secretsManager(name, { versionId })
}
