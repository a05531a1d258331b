import { type App, Duration, SecretValue, Validations } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import type { BundlingOptions } from 'cargo-lambda-cdk'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ClickStreamStack } from './click-stream-stack.ts'
import { processorSettings, readConfiguration } from './configuration.ts'
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
      processorBufferMib: configuration.bufferMb,
      processorInterval: seconds(configuration.bufferSeconds),
      processorRetries: configuration.retries,
      destinationSizeMib: configuration.destinationMb,
      destinationInterval: seconds(configuration.destinationSeconds),
      compressed: configuration.compression !== 'none',
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
    alarmEmail: configuration.alarmEmail,
    thresholds: { failedRecords: configuration.alarmFailedRecords, errorObjects: configuration.alarmErrorObjects },
  })
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
  return stack
}

function seconds(number: number | undefined): Duration | undefined {
  return number === undefined ? undefined : Duration.seconds(number)
}

function secret(name: string | undefined, versionId: string | undefined): SecretValue | undefined {
  return name === undefined ? undefined : SecretValue.secretsManager(name, { versionId })
}
