import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { functionLimits, functionRows, type Thresholds } from './operations/alarms.ts'
import { functionMetrics } from './operations/metrics.ts'
import { addAlarms } from './operations/raise.ts'
import { alarmTopic, type AlarmTopicProps } from './operations/topic.ts'
import { processorBufferMib } from './processor-buffer.ts'
import type { ProcessorSettings } from './processor-settings.ts'
import { warnOfBuffer, warnOfHttp } from './processor-warnings.ts'
import { Processor, type ProcessorProps } from './processor.ts'

export interface ProcessorStackProps extends StackProps, AlarmTopicProps {
  /** The base URL of the service. */
  readonly lookupApiUrl: string
  /** @default the processor's own defaults */
  readonly settings?: ProcessorSettings
  /** @default see {@link ProcessorProps} */
  readonly processor?: Omit<ProcessorProps, 'lookupApiUrl' | 'settings'>
  /** The name of the stream's role, without its path. The stack adds a permission to it, and nothing else. */
  readonly streamRoleName: string
  /** The size of a batch in MiB, 0.2 to 3. @default as much as the response allows: see `processor-buffer.ts` */
  readonly bufferMib?: number
  /** The buffering interval of a batch, 0 to 900 seconds. @default 60 seconds, Firehose's own default */
  readonly bufferInterval?: Duration
  /** Retries of a failed invocation, 1 to 300. @default 3 */
  readonly retries?: number
  /** Only those of the function are used. @default see {@link Thresholds} */
  readonly thresholds?: Thresholds
}

/** The processor for a stream that exists: the function with its alarms, which the stream's role may invoke. */
export class ProcessorStack extends Stack {
  constructor(scope: Construct, id: string, props: ProcessorStackProps) {
    super(scope, id, props)
    const { lookupApiUrl, settings = {}, streamRoleName } = props
    const bufferMib = props.bufferMib ?? processorBufferMib(settings)

    const { function: deployed, alias } = new Processor(this, 'Processor', {
      ...props.processor,
      lookupApiUrl,
      settings,
    })
    // With a name of its own, so that two stacks can add their permissions to one role.
    new iam.Policy(this, 'Invoke', {
      policyName: this.stackName,
      roles: [iam.Role.fromRoleName(this, 'StreamRole', streamRoleName)],
      statements: [new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [alias.functionArn] })],
    })

    const timeout = props.processor?.timeout ?? Duration.seconds(30)
    const rows = functionRows(functionMetrics(deployed), functionLimits(props.thresholds), timeout)
    addAlarms(this, rows, alarmTopic(this, props))

    warnOfBuffer(this, bufferMib, settings)
    warnOfHttp(this, lookupApiUrl)
    this.output('FunctionName', deployed.functionName, 'The processor')
    this.output('StreamRoleName', streamRoleName, 'The role that may invoke the processor')
    this.output(
      'LambdaProcessor',
      this.toJsonString(
        lambdaProcessor(alias.functionArn, bufferMib, props.bufferInterval ?? Duration.minutes(1), props.retries ?? 3),
      ),
      "The processor of a stream's ProcessingConfiguration, which infra/attach.sh adds",
    )
  }

  private output(id: string, value: string, description: string): void {
    new CfnOutput(this, id, { value, description })
  }
}

/** An element of `ProcessingConfiguration.Processors` (Amazon Data Firehose API Reference, "Processor"). */
function lambdaProcessor(functionArn: string, bufferMib: number, bufferInterval: Duration, retries: number) {
  const parameters = {
    LambdaArn: functionArn,
    NumberOfRetries: retries,
    BufferSizeInMBs: bufferMib,
    BufferIntervalInSeconds: bufferInterval.toSeconds(),
  }
  return {
    Type: 'Lambda',
    Parameters: Object.entries(parameters).map(([name, value]) => ({
      ParameterName: name,
      ParameterValue: String(value),
    })),
  }
}
