import { type App, Duration, SecretValue, Validations } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import type { BundlingOptions } from 'cargo-lambda-cdk'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ClickStreamStack } from './click-stream-stack.ts'
import { type Configuration, processorSettings, readConfiguration } from './configuration.ts'
import { IngestStack } from './ingest-stack.ts'
import { MysfitsServiceStack } from './mysfits-service-stack.ts'

/**
 * Puts the configured stacks into `app`, to be checked against cdk-nag's AwsSolutions when it is synthesised.
 *
 * @param environment the environment variables that options may come from
 * @param bundling how the executables are built, where not as usual
 * @throws {ConfigurationError} for options that can't be used
 */
export function clickStream(
  app: App,
  environment: Readonly<Record<string, string | undefined>>,
  bundling?: BundlingOptions,
): ClickStreamStack {
  const configuration = readConfiguration(app.node.getAllContext(), environment)
  const stackName = configuration.stackName ?? 'ClickStream'
  const withIngest = Object.keys(configuration.streams ?? {}).length > 0 || configuration.collector === true
  const architecture = configuration.architecture === 'x86_64' ? lambda.Architecture.X86_64 : undefined

  const service = configuration.mysfitsService
    ? new MysfitsServiceStack(app, 'MysfitsService', {
        stackName: `${stackName}-MysfitsService`,
        description: 'The mysfits service that the click stream asks: GET /mysfits over DynamoDB.',
        architecture,
        logRetention: configuration.logDays,
        bundling,
      })
    : undefined
  const stack = new ClickStreamStack(app, 'ClickStream', {
    stackName,
    description: 'Clicks on mysfits: from PUT /clicks through Amazon Data Firehose and the click processor into S3.',
    mysfitsApiUrl: service?.url ?? configuration.mysfitsApiUrl ?? '',
    mysfitsApiKey: secret(configuration.mysfitsApiKeySecret, configuration.mysfitsApiKeySecretVersion),
    settings: processorSettings(configuration),
    processor: {
      architecture,
      memoryMb: configuration.memoryMb,
      timeout: seconds(configuration.timeoutSeconds),
      reservedConcurrentExecutions: configuration.reservedConcurrency,
      logLevel: configuration.logLevel && lambda.ApplicationLogLevel[configuration.logLevel],
      logRetention: configuration.logDays,
      bundling,
    },
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
    storage: { deliveredDays: configuration.deliveredDays, errorDays: configuration.errorDays },
    alarmTopicArn: configuration.alarmTopicArn,
    keepOwnAlarmTopic: withIngest,
    alarmEmail: configuration.alarmEmail,
    thresholds: { failedRecords: configuration.alarmFailedRecords, errorObjects: configuration.alarmErrorObjects },
    fanOut: configuration.fanOut,
  })
  if (withIngest) ingest(app, `${stackName}-Ingest`, configuration, stack, { architecture, bundling })
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return stack
}

/** Puts the other ways in beside `click`, whose processor and alarm topic they share. */
function ingest(
  app: App,
  stackName: string,
  configuration: Configuration,
  click: ClickStreamStack,
  machine: { architecture?: lambda.Architecture; bundling?: BundlingOptions },
): void {
  const { collectorHashKeySecret, collectorHashKeySecretVersion } = configuration
  const stack = new IngestStack(app, 'Ingest', {
    stackName,
    description: 'The ways in beside PUT /clicks: a stream for each service, and the collector, into S3.',
    streams: configuration.streams,
    authorization: configuration.ingestAuthorization,
    processor: click.processor,
    collector: configuration.collector
      ? {
          ...machine,
          settings: {
            fields: configuration.collectorFields,
            partitionKeyField: configuration.collectorPartitionKeyField,
            maskFields: configuration.collectorMaskFields,
            hashFields: configuration.collectorHashFields,
          },
          hashKey: secret(collectorHashKeySecret, collectorHashKeySecretVersion),
          shards: configuration.collectorShards,
          queue: configuration.collectorQueue,
          logLevel: configuration.logLevel && lambda.ApplicationLogLevel[configuration.logLevel],
        }
      : undefined,
    delivery: { ...delivery(configuration), settings: processorSettings(configuration) },
    storage: { deliveredDays: configuration.deliveredDays, errorDays: configuration.errorDays },
    logRetention: configuration.logDays,
    alarmTopic: click.alarmTopic,
    fanOut: configuration.ingestFanOut,
  })
  // So that a stream can be given the processor, or be without it, and alarms can go to another topic, or come back, at any time:
  // CloudFormation refuses to take an export back that the other stack still has, and it updates the click stream first.
  click.exportValue(click.processor.functionArn)
  click.exportValue(click.ownAlarmTopic!.topicArn)
  // Its APIs write logs by the account's role, which the click stream makes.
  stack.addStackDependency(click)
}

/** How every Firehose stream delivers. */
function delivery(configuration: Configuration) {
  return {
    processorBufferMib: configuration.bufferMb,
    processorInterval: seconds(configuration.bufferSeconds),
    processorRetries: configuration.retries,
    destinationSizeMib: configuration.destinationMb,
    destinationInterval: seconds(configuration.destinationSeconds),
    compressed: configuration.compression !== 'none',
  }
}

function seconds(number: number | undefined): Duration | undefined {
  return number === undefined ? undefined : Duration.seconds(number)
}

function secret(name: string | undefined, versionId: string | undefined): SecretValue | undefined {
  return name === undefined ? undefined : SecretValue.secretsManager(name, { versionId })
}
