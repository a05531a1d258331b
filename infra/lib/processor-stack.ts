import { Stack, type StackProps } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type { CfnDeliveryStream } from 'aws-cdk-lib/aws-kinesisfirehose'
import type { Construct } from 'constructs'
import { addOutput } from './app/output.ts'
import { ClickProcessor, type ClickProcessorProps } from './click-processor.ts'
import { addAlarms } from './operations/add-alarms.ts'
import { functionRows, type Thresholds } from './operations/alarms.ts'
import { functionMetrics } from './operations/metrics.ts'
import { addPager } from './operations/pager.ts'
import { alarmTopic, type AlarmTopicProps, pagerTopic } from './operations/topic.ts'

export interface ProcessorStackProps extends StackProps, AlarmTopicProps {
  readonly processor: ClickProcessorProps
  /** The name of the stream's role, without its path. The stack adds a permission to it, and nothing else. */
  readonly streamRoleName: string
  /** @default see {@link Thresholds} */
  readonly thresholds?: Pick<Thresholds, 'failedRecords'>
}

/** The processor for a stream that exists: the function with its alarms, which the stream's role may invoke. */
export class ProcessorStack extends Stack {
  constructor(scope: Construct, id: string, props: ProcessorStackProps) {
    super(scope, id, props)
    const { streamRoleName } = props
    const processor = new ClickProcessor(this, 'Processor', props.processor)
    // With a name of its own, so that two stacks can add their permissions to one role.
    new iam.Policy(this, 'Invoke', {
      policyName: this.stackName,
      roles: [iam.Role.fromRoleName(this, 'StreamRole', streamRoleName)],
      statements: [
        new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [processor.alias.functionArn] }),
      ],
    })

    const rows = functionRows(functionMetrics(processor.function), processor.timeout, props.thresholds?.failedRecords)
    const topic = alarmTopic(this, props)
    addPager(this, rows, addAlarms(this, rows, topic), pagerTopic(this, props, topic))

    addOutput(this, 'FunctionName', processor.function.functionName, 'The processor')
    addOutput(this, 'StreamRoleName', streamRoleName, 'The role that may invoke the processor')
    addOutput(
      this,
      'LambdaProcessor',
      this.toJsonString(inApiCase(processor.cfnProcessor())),
      "The processor of a stream's ProcessingConfiguration, which infra/attach.sh adds",
    )
  }
}

/** With the names of Firehose's API, which are CloudFormation's. */
function inApiCase({ type, parameters }: CfnDeliveryStream.ProcessorProperty) {
  return {
    Type: type,
    Parameters: (parameters as CfnDeliveryStream.ProcessorParameterProperty[]).map((parameter) => ({
      ParameterName: parameter.parameterName,
      ParameterValue: parameter.parameterValue,
    })),
  }
}
