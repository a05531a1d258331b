import { Annotations, Duration, Size, SizeRoundingBehavior, Stack, Validations } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as firehose from 'aws-cdk-lib/aws-kinesisfirehose'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import type { Construct } from 'constructs'
import { AliasedFunction, type AliasedFunctionOptions } from './aliased-function.ts'
import { between, check, type Fault, whole } from './check.ts'
import { executeApi, type LookupApi, lookupFaults } from './lookup-api.ts'
import { wildcardFinding } from './nag-finding.ts'
import { BUFFER, processorBufferMib, RESPONSE_BUDGET_BYTES, worstResponseBytes } from './processor-buffer.ts'
import { environment, type ProcessorSettings } from './processor-settings.ts'

/**
 * The timeout defaults to 30 seconds: four requests of 2 s to the service with back-off, and the processing of a batch. The memory
 * defaults to 128 MB: an event of 6 MB and its response need 35 MiB (`make bench`); 16,000 of the shortest clicks take 9 ms of a
 * core, so 0.13 s of a fourteenth.
 */
export interface ClickProcessorProps extends AliasedFunctionOptions, LookupApi, firehose.DataProcessorProps {
  /** The rest of the configuration. @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /** The size of a batch, 0.2 to 3 MiB. @default as much as the response allows: see `processor-buffer.ts` */
  readonly bufferSize?: Size
  /** The buffering interval of a batch, 0 to 900 seconds. @default 60 seconds, Firehose's own default */
  readonly bufferInterval?: Duration
  /** Retries of a failed invocation, 0 to 300. @default 3, so four attempts; then the records go to the error output */
  readonly retries?: number
}

/**
 * The transformation Lambda, as a processor of a Firehose stream:
 *
 *     new firehose.S3Bucket(bucket, { processors: [new ClickProcessor(this, 'Processor', { code, lookupApiUrl })] })
 *
 * Its role may write logs and traces, and what its authentication and its network need. A stream that uses it may invoke its alias.
 */
export class ClickProcessor extends AliasedFunction implements firehose.IDataProcessor {
  readonly props: Required<firehose.DataProcessorProps>
  readonly timeout: Duration

  /** @throws {Error} for invalid or contradictory props */
  constructor(scope: Construct, id: string, props: ClickProcessorProps) {
    const { lookupApiUrl, lookupApiArn, settings = {}, bufferSize, bufferInterval, retries, ...options } = props
    check(
      between('timeout in seconds', options.timeout?.toSeconds(), 1, 300),
      between('bufferSize in MiB', bufferSize?.toMebibytes({ rounding: SIZE }), BUFFER.min, BUFFER.max),
      between('bufferInterval in seconds', bufferInterval?.toSeconds(), 0, 900),
      whole('retries', retries, 0, 300),
      logLevelFault(options.logLevel),
      ...lookupFaults(settings, props),
    )
    super(scope, id, {
      ...options,
      description: 'Amazon Data Firehose transformation: adds the attributes of the clicked mysfits.',
      roleDescription: 'The click processor: writes its logs and traces.',
      environment: {
        LOOKUP_API_URL: lookupApiUrl,
        ...environment(settings),
      },
      statements: [
        ...(settings.lookupSecretArn ? [allow('secretsmanager:GetSecretValue', settings.lookupSecretArn)] : []),
        ...(settings.lookupAuth === 'iam' ? invoke(scope, lookupApiUrl, lookupApiArn) : []),
      ],
    })
    this.timeout = options.timeout ?? Duration.seconds(30)
    this.props = {
      bufferSize: bufferSize ?? Size.mebibytes(processorBufferMib(settings)),
      bufferInterval: bufferInterval ?? Duration.minutes(1),
      retries: retries ?? 3,
    }
    if (settings.lookupAuth === 'iam') {
      Validations.of(this.function.role!).acknowledge({
        id: wildcardFinding(this, lookupApiArn ?? apiArn(this, lookupApiUrl)),
        reason: 'The paths of an API have keys in them.',
      })
    }
    this.warnOfBuffer(settings)
    if (/^http:/i.test(lookupApiUrl)) {
      Annotations.of(this).addWarningV2(
        'click-stream:service-without-tls',
        'lookupApiUrl is http: responses of the service can be modified in transit. Use https.',
      )
    }
  }

  /** Allows the role of a delivery stream to invoke the alias. All parameters are explicit, so 0 retries are, too. */
  bind(_scope: Construct, { role }: firehose.DataProcessorBindOptions): firehose.DataProcessorConfig {
    this.grantInvoke(role)
    const [identifier, ...others] = this.parameters()
    return {
      processorType: 'Lambda',
      processorIdentifier: identifier!,
      parameters: [{ parameterName: 'RoleArn', parameterValue: role.roleArn }, identifier!, ...others],
    }
  }

  /**
   * An element of `ProcessingConfiguration.Processors`, for destinations without L2 such as
   * `CfnDeliveryStream.IcebergDestinationConfigurationProperty` (Amazon Data Firehose API Reference, "Processor"). The role of the
   * stream needs {@link grantInvoke}.
   */
  cfnProcessor(): firehose.CfnDeliveryStream.ProcessorProperty {
    return { type: 'Lambda', parameters: this.parameters() }
  }

  private parameters(): firehose.DataProcessorIdentifier[] {
    const { bufferSize, bufferInterval, retries } = this.props
    const parameters = {
      LambdaArn: this.alias.functionArn,
      NumberOfRetries: retries,
      BufferSizeInMBs: bufferSize.toMebibytes({ rounding: SIZE }),
      BufferIntervalInSeconds: bufferInterval.toSeconds(),
    }
    return Object.entries(parameters).map(([parameterName, value]) => ({
      parameterName,
      parameterValue: String(value),
    }))
  }

  /** Warns if the response to a full buffer can exceed the limit. */
  private warnOfBuffer(settings: ProcessorSettings): void {
    const mebibytes = this.props.bufferSize.toMebibytes({ rounding: SIZE })
    const worst = worstResponseBytes(mebibytes, settings)
    if (worst <= RESPONSE_BUDGET_BYTES) return
    Annotations.of(this).addWarningV2(
      'click-stream:processor-buffer',
      `The processor's buffer of ${mebibytes} MiB can produce a response of ${worst} bytes, above the limit of ${RESPONSE_BUDGET_BYTES}: ` +
        'records beyond the limit fail. Choose a smaller buffer or fewer attributes.',
    )
  }
}

/** A size in MiB may have a fraction. */
const SIZE = SizeRoundingBehavior.NONE

/** Above INFO, Lambda drops the log lines that are the function's metrics ("Log-level filtering", AWS Lambda Developer Guide). */
function logLevelFault(logLevel: lambda.ApplicationLogLevel | undefined): Fault {
  const { TRACE, DEBUG, INFO } = lambda.ApplicationLogLevel
  if (logLevel === undefined || [TRACE, DEBUG, INFO].includes(logLevel)) return undefined
  return `logLevel: found ${logLevel}; accepted: TRACE, DEBUG or INFO, as the function's metrics are log lines of INFO`
}

function allow(action: string, resource: string): iam.PolicyStatement {
  return new iam.PolicyStatement({ actions: [action], resources: [resource] })
}

/**
 * A function URL needs two actions, of which one without a condition would allow more: to invoke the function directly (AWS Lambda
 * Developer Guide, "Control access to Lambda function URLs"). In an API of API Gateway, the role may send GET requests to one stage.
 */
function invoke(scope: Construct, url: string, arn: string | undefined): iam.PolicyStatement[] {
  // The ARN of a function in the same app is known only at deployment, while CDK joins that of an API from readable parts.
  if (arn !== undefined && !arn.includes(':execute-api:')) {
    const conditions = { Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } }
    return [
      allow('lambda:InvokeFunctionUrl', arn),
      new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [arn], conditions }),
    ]
  }
  return [allow('execute-api:Invoke', arn ?? apiArn(scope, url))]
}

function apiArn(scope: Construct, url: string): string {
  const { id, region, stage } = executeApi(url) ?? { id: '', region: '', stage: '' }
  return Stack.of(scope).formatArn({ service: 'execute-api', region, resource: id, resourceName: `${stage}/GET/*` })
}
